import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Migration } from '../../src/adapters/migrations/migration.ts';
import { openArchive } from '../../src/backup/archive-file.ts';
import { proveArchive } from '../../src/backup/proof.ts';
import { listBackups } from '../../src/backup/list.ts';
import { verifyBackup } from '../../src/backup/verify.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { Database } from '../../src/ports/database.ts';
import {
  archiveOf,
  contentOf,
  fill,
  openScene,
  sceneMigrations,
  scratchOf,
} from '../support/restore-scene.ts';
import { head, json, rowsEntry, writeArchive } from '../support/made-archive.ts';
import type { DatabasePlace } from '../support/open-database.ts';
import { placeOf, type Postgres, startPostgres } from '../support/postgres.ts';

const base = mkdtempSync(join(tmpdir(), 'backup-verify-'));
let server: Postgres;
let count = 0;
beforeAll(async () => {
  server = await startPostgres('embedded');
});
afterAll(async () => {
  await server.remove();
  rmSync(base, { recursive: true, force: true });
});
const signal = new AbortController().signal;
type Kind = DatabasePlace['kind'];
const newPlace = async (kind: Kind): Promise<DatabasePlace> =>
  kind === 'sqlite'
    ? { kind, file: join(mkdtempSync(join(base, 'data-')), 'state.sqlite') }
    : placeOf(server, await server.createDatabase(`verify_${++count}`));

/** What a proof leaves beside the real tables. */
async function leftovers(place: DatabasePlace): Promise<readonly string[]> {
  if (place.kind === 'sqlite')
    return readdirSync(dirname(place.file)).filter((name) => !name.startsWith('state.sqlite'));
  const rows = await server.admin<{ nspname: string }>(
    `select nspname from pg_namespace where nspname like 'appliance%'`,
    place.database,
  );
  return rows.map(({ nspname }) => nspname);
}

describe.each<[Kind, Kind]>([
  ['sqlite', 'sqlite'],
  ['postgres', 'postgres'],
  ['sqlite', 'postgres'],
  ['postgres', 'sqlite'],
])('an archive from %s', (from, to) => {
  let source: Database;
  let place: DatabasePlace;
  let file: string;
  beforeEach(async () => {
    source = openScene(await newPlace(from));
    await source.migrate();
    await fill(source, 'one');
    file = await archiveOf(source, base);
    place = await newPlace(to);
  });
  afterEach(() => source.close());

  it(`is proven in ${to}, and nothing is left of that but the note`, async () => {
    const archive = await openArchive(file, undefined);
    const folder = dirname(file);
    const verified = await verifyBackup({
      archive,
      folder,
      clock: systemClock,
      scratch: scratchOf(place, base),
      signal,
    });
    await archive.close();
    const rows = Object.fromEntries(verified.tables.map(({ name, rows }) => [name, rows]));
    expect(rows).toMatchObject({ samples: 4, users: 2, visits: 3000, kept_addresses: 5, settings: 0 });
    expect((await listBackups(folder, Date.now()))[0]?.verifiedMs).toBeGreaterThan(0);
    expect(await leftovers(place)).toEqual([]);
  });

  it(`gives the same rows in ${to}, and takes the place of what is there`, async () => {
    const live = openScene(place);
    await live.migrate();
    await fill(live, 'two');
    await sql`insert into sessions (token_hash, user_id, created_ms, last_used_ms, expires_ms, data)
      values (${new Uint8Array([1])}, 1, 1, 1, 1, '{}')`.execute(live.queries);
    const archive = await openArchive(file, undefined);
    const { scratch, end } = await proveArchive({
      archive,
      folder: dirname(file),
      scratch: scratchOf(place, base),
      signal,
    });
    await archive.close();
    await scratch.replaceReal();
    await end();
    expect(await contentOf(live)).toEqual(await contentOf(source));
    // numbers go on behind the highest
    const added = await sql<{ id: number }>`insert into owners (name) values ('next') returning id`.execute(
      live.queries,
    );
    expect(added.rows[0]!.id).toBeGreaterThan(41);
    await sql`insert into users (name, password_hash, role, created_ms, disabled, session_stamp) values ('next', '', '', 1, false, '')`.execute(
      live.queries,
    );
    await sql`insert into samples (whole) values (1)`.execute(live.queries);
    expect(await leftovers(place)).toEqual([]);
    await live.close();
  });
});

const types = { sqlite: 'integer', postgres: 'bigint' };

describe.each<Kind>(['sqlite', 'postgres'])('a proof in %s', (kind) => {
  let place: DatabasePlace;
  const proof = async (file: string, migrations = sceneMigrations) => {
    const archive = await openArchive(file, undefined);
    try {
      const scratch = scratchOf(place, base, migrations);
      return await proveArchive({ archive, folder: dirname(file), scratch, signal });
    } finally {
      await archive.close();
    }
  };
  let file: string;
  const owners = {
    name: 'owners',
    primaryKey: ['id'],
    columns: [
      { name: 'id', type: 'integer' as const, nullable: false },
      { name: 'name', type: 'text' as const, nullable: false },
    ],
  };
  const own = { ...head, migrations: ['0001-state', '9001-samples'], tables: [owners] };
  beforeEach(async () => {
    place = await newPlace(kind);
    file = join(mkdtempSync(join(base, 'made-')), 'a.tar.zst');
  });
  const made = (change: Partial<typeof own>, ...rows: readonly string[]) => {
    const next = { ...own, ...change };
    return writeArchive(file, [json('archive.json', next), rowsEntry('owners', 1, ...rows)], {
      tables: [...next.tables],
    });
  };

  it('brings the tables of an older release to those of this one', async () => {
    const later: Migration = {
      name: '9002-later',
      oldestRelease: '0.1.0',
      up: async (db, kind) =>
        void (await sql.raw(`alter table owners add column age ${types[kind]}`).execute(db)),
    };
    await made({}, '[1,"a"]');
    const { scratch, end } = await proof(file, [...sceneMigrations, later]);
    expect((await contentOf(scratch.database))['owners']).toEqual(['[1,"a",null]\n']);
    await end();
  });

  it.each([
    [
      'of a newer release',
      { migrations: ['0001-state', '9001-samples', '9002-later'], release: '2.0.0' },
      ['[1,"a"]'],
      'backup-newer-schema',
      /9002-later/,
    ],
    [
      'with a table that there is none',
      { migrations: ['0001-state'] },
      ['[1,"a"]'],
      'backup-shape',
      /no table "owners"/,
    ],
    [
      'with other columns',
      { tables: [{ ...owners, columns: [owners.columns[0]!, { ...owners.columns[1]!, nullable: true }] }] },
      ['[1,"a"]'],
      'backup-shape',
      /"owners" has id integer, name text$/,
    ],
    ['with a row twice', {}, ['[1,"a"]', '[2,"a"]'], 'backup-shape', /does not take its rows/],
    ['that is written in another way', {}, ['[1, "a"]'], 'backup-differs', /"owners" are others/],
  ])('refuses an archive %s, and leaves nothing', async (_, change, rows, code, message) => {
    await made(change, ...rows);
    await expect(proof(file)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
    expect(await leftovers(place)).toEqual([]);
    if (place.kind === 'sqlite') expect(existsSync(place.file)).toBe(false);
  });

  it('removes what a killed one left', async () => {
    const scratch = scratchOf(place, base);
    await (await scratch.create([])).database.close();
    expect(await leftovers(place)).not.toEqual([]);
    await (await scratchOf(place, base).create([])).remove();
    expect(await leftovers(place)).toEqual([]);
  });
});
