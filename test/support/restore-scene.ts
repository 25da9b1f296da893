import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { migrations as ours } from '../../src/adapters/migrations/all.ts';
import type { Migration } from '../../src/adapters/migrations/migration.ts';
import { createScratchPostgres } from '../../src/adapters/scratch-database-postgres.ts';
import { createScratchSqlite } from '../../src/adapters/scratch-database-sqlite.ts';
import { createBackup } from '../../src/backup/create.ts';
import type { FoundFiles } from '../../src/backup/host-files.ts';
import { jsonLine, pagesOf } from '../../src/backup/table-rows.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { Database } from '../../src/ports/database.ts';
import type { ScratchDatabases } from '../../src/ports/scratch-database.ts';
import { type DatabasePlace, openDatabase } from './open-database.ts';
import { sampleTables } from './sample-tables.ts';

/** The product's tables and some with a column of each type. */
export const sceneMigrations: readonly Migration[] = [...ours, { ...sampleTables, name: '9001-samples' }];

export function openScene(place: DatabasePlace): Database {
  return openDatabase(place, { migrations: sceneMigrations });
}

export function scratchOf(
  place: DatabasePlace,
  dataDir: string,
  migrations = sceneMigrations,
): ScratchDatabases {
  const settings = { ...place, migrations, release: '0.1.0', dataDir };
  return settings.kind === 'sqlite' ? createScratchSqlite(settings) : createScratchPostgres(settings);
}

/** Values at the edges of every type; `mark` tells one filling from another. */
export async function fill(database: Database, mark: string): Promise<void> {
  const run = (statement: string, ...parameters: unknown[]) => {
    const [first = '', ...rest] = statement.split('?');
    const parts = rest.map((text, index) => sql`${parameters[index]}${sql.raw(text)}`);
    return sql`${sql.raw(first)}${sql.join(parts, sql``)}`.execute(database.queries);
  };
  const sample = (...values: unknown[]) =>
    run(
      'insert into samples (whole, fraction, words, raw, yes, value, address) values (?, ?, ?, ?, ?, ?, ?)',
      ...values,
    );
  await sample(
    2n ** 63n - 1n,
    0.1,
    mark,
    new Uint8Array([0, 1, 255, 10]),
    true,
    '{"b": 1.0,\n "a":[12345678901234567890, -0]}',
    '192.0.2.1',
  );
  await sample(
    -(2n ** 63n),
    -1.5e300,
    `"quotes" 'and'\nlines\r\n\\ \u2028 🦉 é`,
    new Uint8Array(0),
    false,
    '"\\u00e9\\n"',
    '2001:db8::1',
  );
  await sample(null, null, null, null, null, null, null);
  await sample(0, 5e-324, '', new Uint8Array(100_000).fill(7), true, '[]', '::ffff:192.0.2.7');
  await run(
    'insert into users (name, password_hash, role, created_ms, disabled, session_stamp) values (?, ?, ?, ?, ?, ?)',
    `Robert'); drop table users;--\n"${mark}"`,
    '$x',
    'owner',
    1_795_000_000_123,
    false,
    'stamp',
  );
  await run(
    'insert into users (name, password_hash, role, created_ms, disabled, last_sign_in_ms, session_stamp) values (?, ?, ?, ?, ?, ?, ?)',
    'Zoë',
    '$y',
    'viewer',
    2,
    true,
    0,
    'stamp',
  );
  await run('insert into owners (id, name) values (?, ?)', 41, mark);
  await run('insert into entries (account, note) values (?, ?)', 41, 'note');
  for (const address of ['10.0.0.9', '10.0.0.10', '9.9.9.9', '2001:db8::', '::1'])
    await run(
      'insert into kept_addresses (day_ms, address, visits, last_seen_ms) values (?, ?, ?, ?)',
      86_400_000,
      address,
      3,
      5,
    );
  const hours = Array.from(
    { length: 3_000 },
    (_, hour) => sql`(${hour * 3_600_000}, 'DE', 64496, 2, ${hour})`,
  );
  await sql`insert into visits (hour_ms, country, asn, status_class, visits) values ${sql.join(hours)}`.execute(
    database.queries,
  );
}

/** All rows that all tables that archives hold had at one moment, as they would be written, sorted, but for notes of restores. */
export function contentOf(database: Database): Promise<Readonly<Record<string, readonly string[]>>> {
  // one who was killed may have been committing: the server does that to its end
  return database.snapshot(async (snapshot) => {
    const { tables } = await database.shape(snapshot);
    const content: Record<string, string[]> = {};
    for (const table of tables) {
      const lines: string[] = [];
      for await (const page of pagesOf(snapshot, table, jsonLine(table))) lines.push(...page);
      // what was noted of restores is beside what they brought
      content[table.name] = lines.filter((line) => !line.includes('"backup.restore"')).toSorted();
    }
    return content;
  });
}

/** Writes an archive of it into a new folder below `base`; gives the file. */
export async function archiveOf(
  database: Database,
  base: string,
  options: { readonly passphrase?: string; readonly files?: FoundFiles } = {},
): Promise<string> {
  const made = await createBackup({
    database,
    folder: mkdtempSync(join(base, 'archives-')),
    passphrase: options.passphrase,
    files: () => Promise.resolve(options.files ?? { files: [], leftOut: [] }),
    hostName: 'old.example',
    release: '0.1.0',
    clock: systemClock,
    signal: new AbortController().signal,
  });
  return made.file;
}
