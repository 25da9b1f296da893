import { resolve } from 'node:path';
import { configOf } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { countText } from '../core/count-text.ts';
import { exitCodes, UsageError } from '../core/errors.ts';
import type { Command } from './command.ts';
import { loadFor } from './config.ts';
import { interruption } from './interruption.ts';

export interface Exports {
  /**
   * SQL for psql, into `file`, or on standard output where that is undefined. Gives the number of rows; undefined where standard
   * output took less than all of it.
   */
  exportPostgres(config: Config, file: string | undefined, signal: AbortSignal): Promise<number | undefined>;
}

const flag = 'pg-dump';

export function backupExport(exports: Exports): Command {
  return {
    name: 'backup export',
    summary: 'write the database as SQL for PostgreSQL, for those who leave',
    usage: 'backup export --pg-dump FILE',
    examples: [
      {
        command: 'sudo appliance backup export --pg-dump state.sql',
        does: 'all tables, whichever the database',
      },
      {
        command: 'sudo appliance backup export --pg-dump - | psql --dbname NAME',
        does: 'at once into another',
      },
    ],
    options: { [flag]: { value: 'FILE', help: 'where to write it; - is standard output' } },
    takesConfiguration: true,
    async run(args, io) {
      const given = args.flags[flag];
      if (given === undefined)
        throw new UsageError('"backup export" needs --pg-dump', 'write --pg-dump=FILE');
      const config = configOf(loadFor(args, io));
      const file = given === '-' ? undefined : resolve(io.workingFolder, given);
      const stop = interruption('interrupted; what was written is not whole', 'run it again');
      try {
        const rows = await exports.exportPostgres(config, file, stop.signal);
        // Half an export must not pass for a whole one. A reader that went away knows that it did: nothing is said.
        if (rows === undefined) return exitCodes.fault;
        if (file !== undefined) io.stderr.write(`${file}: ${countText(rows, 'row')}\n`);
        return exitCodes.done;
      } finally {
        stop.dispose();
      }
    },
  };
}
