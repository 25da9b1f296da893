import { describe, expect, it } from 'vitest';
import { readPair } from '../../src/adapters/certificate-store-pair.ts';
import { checkLitter, dueCertificate, runAgain } from './certificate-kill-checks.ts';
import { scenesBefore, type Scene } from './certificate-scene.ts';
import type { Pebble } from './pebble.ts';

/** Which of those calls: from the `first` on, counted from 1, each `step`th. */
export interface KilledCalls {
  readonly first: number;
  readonly step: number;
}

/** Kills `renew-certs` right before calls that give a file its name or take one away. To be called at the top of a suite. */
export function expectNothingHalf(pebble: () => Pebble, { first, step }: KilledCalls): void {
  const inScene = scenesBefore(pebble);
  describe.concurrent(
    'a process that is killed right before it gives a file its name or takes one away',
    { timeout: 30 * 60_000 },
    () => {
      /** Runs the command and kills it at the `nth` of those calls of the system; false where it came to its end before. */
      async function runUntil(nth: number, { host }: Scene): Promise<boolean> {
        const inject = `inject=rename,unlink:signal=KILL:when=${nth}`;
        const { exitCode, err } = await host.run(['renew-certs'], {
          wrapper: ['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=rename,unlink', '-e', inject],
          // strace counts for each thread
          environment: { UV_THREADPOOL_SIZE: '1' },
        });
        expect(exitCode, err).toSatisfy((code) => code === 'SIGKILL' || code === 0);
        return exitCode === 'SIGKILL';
      }

      /** Three at a time. Returns the number of the last call at which it was killed. */
      async function atCalls(act: (nth: number, scene: Scene) => Promise<boolean>): Promise<number> {
        let next = first;
        let beyond = Infinity;
        let last = 0;
        const walk = async () => {
          for (let nth = next; nth < beyond; nth = next) {
            next += step;
            await inScene(async (scene) => {
              if (await act(nth, scene)) last = Math.max(last, nth);
              else beyond = Math.min(beyond, nth);
            });
          }
        };
        await Promise.all([walk(), walk(), walk()]);
        return last;
      }

      it('leaves no half of a first certificate, and the next run ends it', async () => {
        const last = await atCalls(async (nth, scene) => {
          if (!(await runUntil(nth, scene))) return false;
          // throws where a half is taken for a whole
          await readPair(scene.place);
          await runAgain(scene);
          expect(scene.proxy.orders()).toBeLessThanOrEqual(2);
          await checkLitter(scene);
          return true;
        });
        expect(last).toBeGreaterThan(12 - step);
      });

      it('always leaves the old certificate or the new one, and the next run ends it', async () => {
        const kept = { old: 0, new: 0 };
        const last = await atCalls(async (nth, scene) => {
          const { place, proxy } = scene;
          const before = await dueCertificate(pebble(), scene);
          if (!(await runUntil(nth, scene))) return false;
          const { pair } = await readPair(place);
          expect(pair).toBeDefined();
          kept[pair?.facts.serial === before.serial ? 'old' : 'new']++;
          await runAgain(scene);
          expect((await readPair(place)).pair?.facts.serial).not.toBe(before.serial);
          expect(proxy.orders()).toBeLessThanOrEqual(before.orders + 2);
          await checkLitter(scene);
          return true;
        });
        expect(last).toBeGreaterThan(10 - step);
        expect(kept.old).toBeGreaterThanOrEqual(Math.floor(4 / step));
        expect(kept.new).toBeGreaterThanOrEqual(Math.floor(3 / step));
      });
    },
  );
}
