import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Failure } from '../../src/core/errors.ts';
import { openDatabase } from './open-database.ts';

/** A program for tests: fills the small disk at DISK, sees what the database makes of it, makes space and goes on. */
const disk = process.env['DISK']!;
const ballast = join(disk, 'ballast');
const database = openDatabase({ kind: 'sqlite', file: join(disk, 'data', 'state.sqlite') });
const add = (asn: number) =>
  database.queries
    .insertInto('network_operators')
    .values({ asn, name: 'x'.repeat(20_000) })
    .execute();
await database.migrate();
writeFileSync(ballast, Buffer.alloc(500_000));
let written = 0;
let failure: Failure | undefined;
while (failure === undefined && written < 1_000)
  await add(written + 1).then(
    () => written++,
    (error: unknown) => (failure = error as Failure),
  );
const { words } = database.state();
const count = async () =>
  (await database.queries.selectFrom('network_operators').select('asn').execute()).length;
const kept = (await count()) === written;
rmSync(ballast);
await add(10_000);
const after = database.state();
await database.close();
process.stdout.write(
  JSON.stringify({
    failure: failure?.code,
    retryable: failure?.retryable,
    words,
    kept,
    after: after.status,
    failureAfter: after.failure ?? null,
  }),
);
