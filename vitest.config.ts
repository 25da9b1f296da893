import { relative } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { turnOf } from './test/support/lanes.ts';

/** As vitest would order them, but that some have their turn. */
class Turns extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const turn = ({ moduleId }: TestSpecification) => turnOf(relative(import.meta.dirname, moduleId));
    const usual = await super.sort(files);
    return usual.toSorted((a, b) => (turn(a) === turn(b) ? 0 : turn(a) - turn(b)));
  }
}

const setupFiles = ['test/support/patterns.ts'];

/** How long a test may wait for a thing that it looks for again and again. */
const expectation = { poll: { timeout: 30_000 } };

/** Measured on two cores: what only computes may share them; what starts servers, measures or mounts has them alone. */
export default defineConfig({
  test: {
    sequence: { sequencer: Turns },
    projects: [
      {
        test: {
          name: 'unit',
          setupFiles,
          expect: expectation,
          include: ['test/unit/**/*.test.ts', 'test/contract/**/*.test.ts'],
          testTimeout: 60_000,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'integration',
          setupFiles,
          expect: expectation,
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 300_000,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'host',
          setupFiles,
          expect: expectation,
          include: ['test/host/**/*.test.ts'],
          testTimeout: 20 * 60_000,
          hookTimeout: 20 * 60_000,
          fileParallelism: false,
          // their progress is for whoever waits for them
          disableConsoleIntercept: true,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
