import { constants } from 'node:os';
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

/**
 * Kills an install with all that it started, so many milliseconds after it has begun one of these steps; one that had none of them to
 * do comes to its end. Gives that step.
 */
async function killedInstall(steps: readonly string[], afterMs: number): Promise<string | undefined> {
  const begun = `^  (${steps.join('|')})  *…$`;
  const run = await host.start(`rm -f /tmp/told /tmp/told.errors
setsid ${copiedTo} install ${flags} --yes >/tmp/told 2>/tmp/told.errors &
install=$!
until grep -Eq '${begun}' /tmp/told.errors 2>/dev/null || ! kill -0 $install 2>/dev/null; do sleep 0.01; done
sleep ${afterMs / 1000}; kill -KILL -- -$install 2>/dev/null; wait $install; ended=$?
cat /tmp/told; cat /tmp/told.errors >&2; exit $ended`);
  expect(run.status, run.stdout + run.stderr).toBeOneOf([0, 128 + constants.signals.SIGKILL]);
  return new RegExp(begun, 'm').exec(run.stderr)?.[1];
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

    const begun = new Set<string>();
    for (const index of steps.keys())
      begun.add((await killedInstall(steps.slice(index), (index % 3) * 20)) ?? 'its end');
    print(`killed at ${[...begun].join(', ')}`);

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
