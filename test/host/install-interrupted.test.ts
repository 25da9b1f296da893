import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { difference, namesOf } from './host-files.ts';
import { stackImages } from './image-archive.ts';
import { bootInstallHost, copiedTo, type InstallHost, stepsOf } from './install-host.ts';

const print = (line: string) => console.log(`  │ ${line}`);
let host: InstallHost;
let flags: string;

beforeAll(async () => {
  host = await bootInstallHost('docker', print);
  await host.load(...stackImages);
  flags = `--domain ${host.name} --email admin@example.com ${host.authority}`;
});
afterAll(() => host?.remove());

/** Kills an install with all that it started, so many milliseconds after it has finished one more step; gives that step. */
async function killedInstall(afterMs: number): Promise<string> {
  const run = await host.start(`rm -f /tmp/told
setsid ${copiedTo} install ${flags} --yes >/tmp/told 2>/tmp/told.errors &
install=$!
until grep -q ' s)$' /tmp/told || ! kill -0 $install 2>/dev/null; do sleep 0.01; done
sleep ${afterMs / 1000}; kill -KILL -- -$install 2>/dev/null; wait $install; cat /tmp/told; cat /tmp/told.errors >&2`);
  const [first] = stepsOf(run);
  expect(first, run.stdout + run.stderr).toBeDefined();
  return first!.name;
}

/** As killed between the writing and the renaming of each single file that an install makes; gives what an install leaves of it. */
async function afterHalfWritten(made: readonly string[]): Promise<readonly string[]> {
  // the service's own folder is the service's to clear, and a release gets its name as a whole
  const files = made.flatMap(
    (line) => /^\+ (\/(?!var\/lib\/|usr\/local\/lib\/appliance\/\d)\S+) f /.exec(line)?.[1] ?? [],
  );
  expect(files.length).toBeGreaterThan(15);
  const halves = files.map((path) => path.replace(/([^/]+)$/, '.$1.0123456789ab.tmp'));
  host.sh(`touch -d '1 minute ago' ${halves.join(' ')}`);
  await host.install(`${flags} --yes`);
  return namesOf(host);
}

describe('an install that is killed on its way, again and again', () => {
  it('goes on from there, and ends as one that was never interrupted', async () => {
    const bare = namesOf(host);
    const whole = await host.install(`${flags} --yes`);
    expect([whole.status, whole.stderr]).toEqual([0, expect.any(String)]);
    const steps = stepsOf(whole).map(({ name }) => name);
    const wanted = namesOf(host);
    expect(await afterHalfWritten(difference(bare, wanted))).toEqual(wanted);
    host.sh('appliance uninstall --purge --yes');
    expect(difference(bare, namesOf(host))).toEqual([]);

    const finished: string[] = [];
    for (let turn = 0; finished.at(-1) !== steps.at(-1); turn++)
      finished.push(await killedInstall((turn % 3) * 20));
    print(`killed after ${finished.join(', ')}`);
    // those that take no time are over before they can be killed
    expect(finished.length).toBeGreaterThanOrEqual(steps.length / 2);

    const last = await host.install(`${flags} --yes`);
    expect([last.status, last.stdout + last.stderr]).toEqual([0, expect.any(String)]);
    expect(difference(wanted, namesOf(host))).toEqual([]);
    expect(await host.whoami(host.name)).toBe(host.callers[0]);
    const again = await host.install(`${flags} --yes`);
    expect([again.status, again.stdout]).toEqual([0, expect.stringMatching(/nothing/i)]);
    host.sh('appliance uninstall --purge --yes');
    expect(difference(bare, namesOf(host))).toEqual([]);
  });
});
