import { exitCodes } from '../core/errors.ts';
import type { Command } from './command.ts';

/** What `serve` starts its workers with; not for people, so not in the help. */
export function workerCommand(work: () => Promise<void>): Command {
  return {
    name: 'worker',
    summary: 'answer requests for a running "appliance serve"',
    usage: 'worker',
    examples: [],
    hidden: true,
    async run() {
      await work();
      return exitCodes.done;
    },
  };
}
