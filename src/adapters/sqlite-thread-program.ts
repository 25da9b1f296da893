import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  statfsSync,
  unlinkSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { temporaryName } from '../core/atomic-file.ts';
import {
  sharedNow,
  type SqliteFile,
  type SqliteResult,
  type SqliteStatement,
  type SqliteValue,
  type ThreadAnswer,
  type ThreadReply,
  type ThreadRequest,
} from './sqlite-thread-messages.ts';

/**
 * The program of the thread that has a SQLite file open, several times, so that reading goes on beside a transaction. It never
 * waits for a lock: another connection that holds it may be its own, and its COMMIT the next message.
 */
const { file, synchronous, prepare = '' } = workerData as SqliteFile;
/** SQLite's primary result codes. */
const ioError = 10;
const full = 13;
const connections = new Map<number, Connection>();

interface Statement {
  readonly prepared: StatementSync;
  readonly columns: readonly { readonly name: string; readonly type: string | null }[];
}

class Connection {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, Statement>();

  constructor() {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    if (existsSync(file)) accessSync(file, constants.R_OK | constants.W_OK);
    else makeFile();
    this.#database = new DatabaseSync(file, {
      timeout: 0,
      enableForeignKeyConstraints: true,
      defensive: true,
    });
    try {
      // WAL: readers and one writer at once
      this.#database.exec(
        `pragma journal_mode = wal; pragma synchronous = ${synchronous}; pragma trusted_schema = off; pragma temp_store = memory; pragma journal_size_limit = 67108864; pragma cache_size = -8000; ${prepare}`,
      );
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  execute({ sql, parameters = [] }: SqliteStatement): SqliteResult {
    const { prepared, columns } = this.#statement(sql);
    const bound = parameters.map(toSqlite);
    if (columns.length === 0) {
      return { rows: [], changes: Number(prepared.run(...bound).changes), booleans: [], json: [] };
    }
    const rows = prepared.all(...bound) as Record<string, SqliteValue>[];
    const declared = (type: string) =>
      columns.filter((column) => column.type === type).map(({ name }) => name);
    const changes = /^\s*select\b/i.test(sql) ? undefined : rows.length;
    return { rows, changes, booleans: declared('BOOLEAN'), json: declared('JSON_TEXT') };
  }

  /** All of them or none. */
  transaction(statements: readonly SqliteStatement[]): SqliteResult[] {
    this.execute({ sql: 'begin immediate' });
    try {
      const results = statements.map((each) => this.execute(each));
      this.execute({ sql: 'commit' });
      return results;
    } catch (error) {
      // SQLite has gone back by itself where the disk is full
      if (this.#database.isTransaction) this.execute({ sql: 'rollback' });
      throw error;
    }
  }

  /** The newest are kept. */
  #statement(sql: string): Statement {
    const known = this.#statements.get(sql);
    // what changes the tables changes the columns that a statement gives
    if (known !== undefined) return known;
    const prepared = this.#database.prepare(sql);
    prepared.setReadBigInts(true);
    const columns = prepared.columns().map(({ name, type }) => ({ name, type }));
    const statement = { prepared, columns };
    if (/^\s*(alter|create|drop)\b/i.test(sql)) this.#statements.clear();
    else {
      if (this.#statements.size >= 100) this.#statements.delete(this.#statements.keys().next().value!);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }
}

/**
 * Makes the file, since SQLite gives its other files the permissions of this one. Nothing in this process may ever open and
 * close the file itself: the kernel then drops all locks that the process has on it, those of other connections too, and
 * another program takes the log for one that nobody uses and removes it (sqlite.org/howtocorrupt.html, 2.2).
 */
function makeFile(): void {
  const passing = temporaryName(file);
  try {
    closeSync(openSync(passing, 'wx', 0o600));
    try {
      linkSync(passing, file);
    } finally {
      unlinkSync(passing);
    }
  } catch {
    // another made it meanwhile; or there are no hard links; or what is in the way is told with the file's own name
    if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600));
  }
}

/** A whole number has to be bound as an integer: SQLite would take it for a real one. */
function toSqlite(value: SqliteValue | boolean): SqliteValue {
  if (typeof value === 'boolean') return value ? 1n : 0n;
  return Number.isSafeInteger(value) ? BigInt(value as number) : value;
}

function answer({ connection: number, does, statements }: ThreadRequest): ThreadAnswer {
  try {
    let connection = connections.get(number);
    if (does === 'close') {
      connections.delete(number);
      connection?.close();
      return [];
    }
    if (connection === undefined) connections.set(number, (connection = new Connection()));
    if (does === 'transaction') return connection.transaction(statements);
    return statements.map((each) => connection.execute(each));
  } catch (error) {
    const { message, errcode, code } = error as { message: string; errcode?: unknown; code?: unknown };
    const known = typeof errcode === 'number' ? errcode : undefined;
    if (known !== undefined && (known & 0xff) === ioError && diskIsFull())
      return { message: 'database or disk is full', errcode: full };
    return {
      message: known === undefined && typeof code === 'string' ? `${message} (${code})` : message,
      errcode: known,
    };
  }
}

/** Where the file beside the log cannot grow on a full disk, SQLite speaks of input and output alone. */
function diskIsFull(): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(file));
    return bavail * bsize < 65_536;
  } catch {
    return false;
  }
}

parentPort?.on('message', (request: ThreadRequest | 'end') => {
  if (request !== 'end') {
    // whoever asked finds by itself that there was no answer in time
    if (request.does !== 'close' && sharedNow() > request.before) return;
    return parentPort?.postMessage({ id: request.id, answer: answer(request) } satisfies ThreadReply);
  }
  for (const connection of connections.values()) connection.close();
  parentPort?.close();
});
