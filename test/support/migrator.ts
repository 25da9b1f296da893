import { setTimeout as wait } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Migration } from '../../src/adapters/migrations/migration.ts';
import { createTable, integer } from '../../src/adapters/migrations/table.ts';
import { Failure } from '../../src/core/errors.ts';
import { type DatabasePlace, openDatabase } from './open-database.ts';
import { sampleTables } from './sample-tables.ts';

/** What a process of tests is told: where, and how long its second migration stands still in the middle. */
export interface MigratorOrder {
  readonly place: DatabasePlace;
  readonly pauseMs: number;
}

/** Two steps, the second of which says when it is half done and then stands still. */
export function slowMigrations(pauseMs: number, say: (line: string) => void): readonly Migration[] {
  const half: Migration = {
    name: '0002-counted',
    oldestRelease: '0.1.0',
    async up(db, kind) {
      await createTable(db, kind, 'counted', { times: integer });
      await sql`insert into counted values (1)`.execute(db);
      say('half done');
      await wait(pauseMs);
      await sql`update counted set times = times + 1`.execute(db);
    },
  };
  return [sampleTables, half];
}

const [order] = process.argv.slice(2);
if (import.meta.main && order !== undefined) {
  const { place, pauseMs } = JSON.parse(order) as MigratorOrder;
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const database = openDatabase(place, { migrations: slowMigrations(pauseMs, say) });
  try {
    say(`did ${JSON.stringify(await database.migrate())}`);
  } catch (error) {
    say(`failed ${error instanceof Failure ? error.code : ''} ${String(error)}`);
  }
  await database.close();
}
