import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { sql } from 'kysely';
import { syncFolder } from '../core/atomic-file.ts';
import { Failure } from '../core/errors.ts';
import { writeFailure } from '../core/storage-failure.ts';
import { timeStamp } from '../core/time-text.ts';
import { createSqliteDatabase } from './database-sqlite.ts';

/** The log and its index first: SQLite would write what they hold into a new file of the old name. */
const endings = ['-wal', '-shm', ''];
/** All of the file is read. */
const patience = { statementMs: 3_600_000 };

/**
 * Renames a file of SQLite's that is damaged, with its log, to `FILE.damaged-TIME`; gives that name, or undefined where the file is
 * whole or missing. Rejects with a Failure of a `Database` where that cannot be known, and with `store-unwritable`.
 */
export async function setAsideDamaged(file: string, now: number): Promise<string | undefined> {
  if (!existsSync(file) || !(await isDamaged(file))) return undefined;
  const aside = `${file}.damaged-${timeStamp(now)}`;
  try {
    for (const ending of endings) if (existsSync(file + ending)) await rename(file + ending, aside + ending);
    await syncFolder(dirname(file));
  } catch (error) {
    throw writeFailure(aside, error);
  }
  return aside;
}

async function isDamaged(file: string): Promise<boolean> {
  const database = createSqliteDatabase({ file, migrations: [], release: '0', patience, maxConnections: 1 });
  try {
    const { rows } = await sql<{ integrity_check: string }>`pragma integrity_check(1)`.execute(
      database.queries,
    );
    return rows[0]?.integrity_check !== 'ok';
  } catch (error) {
    if (error instanceof Failure && error.code === 'database-damaged') return true;
    throw error;
  } finally {
    await database.close();
  }
}
