import { afterAll, beforeAll, describe } from 'vitest';
import { databaseContract } from '../contract/database.ts';
import { migrationsContract } from '../contract/database-migrations.ts';
import { visitsContract } from '../contract/visits.ts';
import { placeOf, type Postgres, type PostgresBuild, startPostgres } from '../support/postgres.ts';

const builds: readonly [string, PostgresBuild][] = [
  ['PostgreSQL 18', 'embedded'],
  ["Debian's PostgreSQL", 'system'],
];

describe.each(builds)('%s', (name, build) => {
  let server: Postgres;
  let count = 0;
  beforeAll(async () => {
    server = await startPostgres(build);
  });
  afterAll(() => server.remove());
  const makeDatabase = async () => placeOf(server, await server.createDatabase(`contract_${++count}`));
  databaseContract(name, makeDatabase, 'select pg_sleep(4)');
  migrationsContract(name, makeDatabase);
  visitsContract(name, makeDatabase);
});
