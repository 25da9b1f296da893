import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { databaseContract } from '../contract/database.ts';
import { migrationsContract } from '../contract/database-migrations.ts';
import { visitsContract } from '../contract/visits.ts';
import type { DatabasePlace } from '../support/open-database.ts';

const base = mkdtempSync(join(tmpdir(), 'database-sqlite-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const newFile = () => join(mkdtempSync(join(base, 'x')), 'data', 'state.sqlite');

const makeDatabase = (): Promise<DatabasePlace> => Promise.resolve({ kind: 'sqlite', file: newFile() });

databaseContract(
  'SQLite',
  makeDatabase,
  'with recursive n(i) as (select 1 union all select i + 1 from n where i < 6000000) select max(i) from n',
);

migrationsContract('SQLite', makeDatabase);
visitsContract('SQLite', makeDatabase);
