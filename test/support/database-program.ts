import { dirname } from 'node:path';
import { createSqliteCache } from '../../src/adapters/cache-sqlite.ts';
import { logLines } from './log-lines.ts';

/**
 * A program for tests to build and run: does its migrations in the file that it is given, which is a `state.sqlite`, writes
 * into database and cache, and prints what it reads from both.
 */
async function main(file: string): Promise<void> {
  const { createSqliteDatabase } = await import('../../src/adapters/database-sqlite.ts');
  const { migrations } = await import('../../src/adapters/migrations/all.ts');
  const database = createSqliteDatabase({ file, migrations, release: '0.1.0' });
  const cache = createSqliteCache({ dataDir: dirname(file), defaultLifeMs: 60_000, log: logLines() });
  const sessions = cache.namespace({ name: 'sessions', maxEntries: 10, maxValueBytes: 100, mustKeep: true });
  await database.migrate();
  await database.queries.insertInto('network_operators').values({ asn: 64_496, name: 'Example' }).execute();
  await sessions.set('a', 'who');
  const rows = await database.queries.selectFrom('network_operators').selectAll().execute();
  process.stdout.write(`${JSON.stringify({ rows, session: await sessions.get('a') })}\n`);
  await Promise.all([database.close(), cache.close()]);
}

void main(process.argv[2] ?? '');
