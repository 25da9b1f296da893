import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { type Check, failed, type Finding, ok, skipped, warning } from './check.ts';
import type { DoctorContext } from './doctor-context.ts';

const mb = 1_000_000;
/** Of what is free, as a share and in bytes: both have to be little. */
const little = { share: 0.1, bytes: 2000 * mb };
const hardlyAny = { share: 0.03, bytes: 300 * mb };
const seeWhat = 'sudo du -xh --max-depth=2 / | sort -h | tail -n 20 shows what takes it';

/** Each file system that the appliance writes to, once. */
async function places({ host, dataFolder, containers }: DoctorContext) {
  const folders = [dataFolder, ...(containers ? ['/var/lib/docker'] : []), '/var/log', '/'];
  const found = await Promise.all(
    folders
      .map((folder) => (folder === dataFolder ? folder : host.path(folder)))
      .filter((folder) => existsSync(folder))
      .map(async (folder) => {
        const { blocks, bfree, bavail, bsize, files, ffree } = await statfs(folder);
        return { folder, blocks, bfree, bavail, bsize, files, ffree };
      }),
  );
  const key = ({ blocks, bfree, files }: (typeof found)[number]) => `${blocks} ${bfree} ${files}`;
  return [...new Map(found.toReversed().map((each) => [key(each), each])).values()].toReversed();
}

const space: Check<DoctorContext> = {
  name: 'disk-space',
  title: 'free space',
  async run(context) {
    const found: Finding[] = [];
    for (const { folder, blocks, bavail, bsize } of await places(context)) {
      const free = bavail * bsize;
      const share = blocks === 0 ? 1 : bavail / blocks;
      const words = `${folder} has ${Math.floor(free / mb)} MB free, ${Math.floor(share * 100)} %`;
      if (share < hardlyAny.share && free < hardlyAny.bytes) found.push(failed(words, seeWhat));
      else if (share < little.share && free < little.bytes) found.push(warning(words, seeWhat));
      else found.push(ok(words));
    }
    return worst(found);
  },
};

const inodes: Check<DoctorContext> = {
  name: 'disk-inodes',
  title: 'room for more files',
  async run(context) {
    const found: Finding[] = [];
    for (const { folder, files, ffree } of await places(context)) {
      // some file systems have as many as they like
      if (files === 0) continue;
      const share = ffree / files;
      const words = `${folder} has room for ${ffree} more files, ${Math.floor(share * 100)} %`;
      const remedy = `sudo find ${folder} -xdev -printf '%h\\n' | sort | uniq -c | sort -n | tail shows where they are`;
      if (ffree < 1000 && share < 0.05) found.push(failed(words, remedy));
      else if (share < 0.1 && ffree < 20_000) found.push(warning(words, remedy));
      else found.push(ok(words));
    }
    return worst(found);
  },
};

function worst(found: readonly Finding[]): Finding {
  return (
    found.find(({ state }) => state === 'failed') ??
    found.find(({ state }) => state === 'warning') ??
    found[0] ??
    skipped('the disks do not tell')
  );
}

const memory: Check = {
  name: 'memory',
  title: 'free memory',
  async run({ host }) {
    const text = host.text('/proc/meminfo') ?? '';
    const of = (key: string) => Number(new RegExp(String.raw`^${key}:\s+(\d+)`, 'm').exec(text)?.[1]) * 1024;
    const [available, total] = [of('MemAvailable'), of('MemTotal')];
    if (Number.isNaN(available) || Number.isNaN(total)) return skipped('the kernel does not tell');
    const words = `${Math.round(available / mb)} of ${Math.round(total / mb)} MB are there to take`;
    const remedy = 'ps aux --sort=-rss | head shows what takes it';
    if (available / total < 0.03) return failed(words, remedy);
    // how much of the last minute all work had to wait for memory
    const pressure = Number(
      /^full avg10=\S+ avg60=(\S+)/m.exec(host.text('/proc/pressure/memory') ?? '')?.[1] ?? 0,
    );
    if (pressure > 10) return failed(`work waits for memory ${pressure} % of the time; ${words}`, remedy);
    return available / total < 0.08 ? warning(words, remedy) : ok(words);
  },
};

export const diskChecks: readonly Check<DoctorContext>[] = [space, inodes, memory];
