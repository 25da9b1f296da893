import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { sql } from 'kysely';
import { beforeEach, describe, expect, it } from 'vitest';
import { migrations as ours } from '../../src/adapters/migrations/all.ts';
import type { Migration } from '../../src/adapters/migrations/migration.ts';
import { createTable, integer } from '../../src/adapters/migrations/table.ts';
import { exitCodes } from '../../src/core/errors.ts';
import { type MigratorOrder, slowMigrations } from '../support/migrator.ts';
import { type DatabasePlace, openDatabase, type OpenOptions } from '../support/open-database.ts';
import { sampleTables } from '../support/sample-tables.ts';
import { until } from '../support/until.ts';

const program = join(import.meta.dirname, '..', 'support', 'migrator.ts');

/** What `migrate` of every `Database` has to do. */
export function migrationsContract(name: string, makeDatabase: () => Promise<DatabasePlace>): void {
  describe(`migrations of ${name}`, () => {
    let place: DatabasePlace;
    beforeEach(async () => {
      place = await makeDatabase();
    });

    const migrator = (pauseMs: number): { child: ChildProcess; said: string[] } => {
      const order: MigratorOrder = { place, pauseMs };
      const child = spawn(process.execPath, [program, JSON.stringify(order)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const said: string[] = [];
      createInterface(child.stdout).on('line', (line) => said.push(line));
      return { child, said };
    };
    const migrateWith = async (options: OpenOptions): Promise<readonly string[]> => {
      const database = openDatabase(place, options);
      try {
        return await database.migrate();
      } finally {
        await database.close();
      }
    };
    /** Rows of a query; the names of tables that are there where it has none. */
    const ask = async (query: string): Promise<unknown[]> => {
      const database = openDatabase(place);
      try {
        return (await sql.raw(query).execute(database.queries)).rows;
      } finally {
        await database.close();
      }
    };

    it('run once, though eight processes start at once', async () => {
      const all = Array.from({ length: 8 }, () => migrator(50));
      await Promise.all(all.map(({ child }) => once(child, 'exit')));
      const said = all.map((each) => each.said.at(-1));
      expect(said.filter((line) => !/^did \[.*\]$/.test(line ?? ''))).toEqual([]);
      // each by one of them, and not needfully both by the same
      const did = said.flatMap((line) => JSON.parse(line!.slice(4)) as string[]);
      expect(did.toSorted()).toEqual(['0001-samples', '0002-counted']);
      expect(await ask('select times from counted')).toEqual([{ times: 2 }]);
      expect(await ask('select name, release, oldest_release from schema_migrations order by name')).toEqual([
        { name: '0001-samples', release: '0.1.0', oldest_release: '0.1.0' },
        { name: '0002-counted', release: '0.1.0', oldest_release: '0.1.0' },
      ]);
    });

    it('leave nothing of one whose process is killed in the middle, and the next does it', async () => {
      const killed = migrator(60_000);
      await until('it to be in the middle', () => killed.said.includes('half done'));
      const waiting = migrator(0);
      killed.child.kill('SIGKILL');
      await once(waiting.child, 'exit');
      expect(waiting.said.at(-1)).toBe('did ["0002-counted"]');
      expect(await ask('select times from counted')).toEqual([{ times: 2 }]);
    });

    it('leave nothing of one that fails, and those before it stay', async () => {
      const broken: Migration = {
        name: '0002-broken',
        oldestRelease: '0.1.0',
        async up(db, kind) {
          await createTable(db, kind, 'broken', { x: integer });
          await sql`insert into nowhere values (1)`.execute(db);
        },
      };
      await expect(migrateWith({ migrations: [sampleTables, broken] })).rejects.toMatchObject({
        retryable: false,
      });
      expect(await ask('select name from schema_migrations')).toEqual([{ name: '0001-samples' }]);
      await expect(ask('select * from broken')).rejects.toMatchObject({ code: 'database-statement' });
      expect(await migrateWith({ migrations: slowMigrations(0, () => undefined) })).toEqual(['0002-counted']);
    });

    const newer = (oldestRelease: string): Migration => ({
      name: '0002-of-the-next-release',
      oldestRelease,
      up: async (db, kind) => createTable(db, kind, 'later', { x: integer }),
    });

    it('of a newer release that leave us in do not keep us from working', async () => {
      await migrateWith({ migrations: [sampleTables, newer('0.1.0')], release: '0.2.0' });
      expect(await migrateWith({ migrations: [sampleTables], release: '0.1.0' })).toEqual([]);
      expect(await migrateWith({ migrations: [sampleTables], release: '0.1.7' })).toEqual([]);
    });

    it('of a newer release that leave us out keep us from starting, with the way out', async () => {
      await migrateWith({ migrations: [sampleTables, newer('0.10.0')], release: '0.11.0' });
      for (const release of ['0.1.0', '0.9.9']) {
        await expect(migrateWith({ migrations: [sampleTables], release })).rejects.toMatchObject({
          code: 'database-schema-newer',
          exitCode: exitCodes.usage,
          retryable: false,
          message: expect.stringMatching(/0\.11\.0 .*only 0\.10\.0 and later/) as string,
          remedy: expect.stringMatching(/0\.10\.0 or a later one/) as string,
        });
      }
      expect(await migrateWith({ migrations: [sampleTables], release: '0.10.0' })).toEqual([]);
    });

    it('make all the tables that the release works on', async () => {
      expect(await migrateWith({})).toEqual(ours.map((each) => each.name));
      expect(await migrateWith({})).toEqual([]);
    });
  });
}
