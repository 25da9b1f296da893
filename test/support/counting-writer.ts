import { openDatabase } from './open-database.ts';

/** A program for tests to kill: adds numbers to a SQLite file, one a transaction, and says each once it is committed. */
const [file = ''] = process.argv.slice(2);
const database = openDatabase({ kind: 'sqlite', file });
await database.migrate();
for (;;) {
  const asn = await database.transaction(async (transaction) => {
    const { last } = await transaction
      .selectFrom('network_operators')
      .select(({ fn }) => fn.max('asn').as('last'))
      .executeTakeFirstOrThrow();
    const next = (last ?? 0) + 1;
    await transaction
      .insertInto('network_operators')
      .values({ asn: next, name: 'x'.repeat(2_000) })
      .execute();
    return next;
  });
  process.stdout.write(`${asn}\n`);
}
