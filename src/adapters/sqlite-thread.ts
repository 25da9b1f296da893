import { join } from 'node:path';
import { getAsset, isSea } from 'node:sea';
import { Worker } from 'node:worker_threads';
import { sqliteThreadAsset } from '../core/assets.ts';
import {
  sharedNow,
  type SqliteFile,
  type SqliteResult,
  type SqliteStatement,
  type ThreadAnswer,
  type ThreadReply,
  type ThreadRequest,
} from './sqlite-thread-messages.ts';

/** What SQLite or the thread refused; `errcode` is SQLite's extended result code where it came from there. */
export class SqliteError extends Error {
  readonly errcode: number | undefined;
  constructor(message: string, errcode?: number) {
    super(message);
    this.name = 'SqliteError';
    this.errcode = errcode;
  }
}

/** The thread went away, or did not answer in time: nobody knows whether what was under way was done. */
export class ThreadLost extends Error {}
export class NoAnswer extends Error {}

/** All of it rejects with one of the errors above, after `withinMs` at the latest; what was not begun by then is not done. */
export interface SqliteStatements {
  execute(statement: SqliteStatement, withinMs: number): Promise<SqliteResult>;
  /** All of them in one transaction that takes the write lock first, or none. */
  transaction(statements: readonly SqliteStatement[], withinMs: number): Promise<readonly SqliteResult[]>;
}

/**
 * A thread with a SQLite file: SQLite blocks whoever calls it, and so never the loop of this one. Statements are done in their
 * order, on a connection that is opened when first needed, and again after it, or the thread, was lost.
 */
export interface SqliteThread extends SqliteStatements {
  /** One more connection, for transactions of several messages. */
  open(withinMs: number): Promise<SqliteConnection>;
  /** Closes the file and ends the thread, within a second whatever is under way. */
  end(): Promise<void>;
}

export interface SqliteConnection extends SqliteStatements {
  close(): Promise<void>;
  /** Whether the thread that had it is still there. */
  readonly alive: boolean;
}

const endWithinMs = 1000;
const closeWithinMs = 60_000;
const ended = 'the thread of SQLite has ended';

/** Starts when it is first needed. */
export function createSqliteThread(file: SqliteFile): SqliteThread {
  const pending = new Map<number, (settled: ThreadAnswer | Error) => void>();
  let lastId = 0;
  let worker: Worker | undefined;
  let ending: Promise<void> | undefined;

  const start = (): Worker => {
    const started = newWorker(file);
    let fault = ended;
    started.on('message', ({ id, answer }: ThreadReply) => pending.get(id)?.(answer));
    started.on('error', (error) => (fault = `the thread of SQLite failed: ${String(error)}`));
    started.once('exit', () => {
      if (worker !== started) return;
      worker = undefined;
      for (const settle of pending.values()) settle(new ThreadLost(fault));
    });
    // a program that has nothing else to do may end
    started.unref();
    return started;
  };
  const running = (): Worker | undefined => (ending === undefined ? (worker ??= start()) : undefined);

  const ask = (
    of: Worker | undefined,
    asked: Pick<ThreadRequest, 'connection' | 'does' | 'statements'>,
    withinMs: number,
  ): Promise<readonly SqliteResult[]> =>
    new Promise((resolve, reject) => {
      if (of === undefined || of !== worker) return reject(new ThreadLost(ended));
      const id = ++lastId;
      const settle = (settled: ThreadAnswer | Error): void => {
        clearTimeout(timer);
        pending.delete(id);
        if (pending.size === 0) of.unref();
        if (settled instanceof Error) reject(settled);
        else if ('message' in settled) reject(new SqliteError(settled.message, settled.errcode));
        else resolve(settled);
      };
      const timer = setTimeout(
        () => settle(new NoAnswer(`no answer within ${Math.round(withinMs)} ms`)),
        withinMs,
      );
      of.ref();
      pending.set(id, settle);
      of.postMessage({ ...asked, id, before: sharedNow() + withinMs } satisfies ThreadRequest);
    });
  const statementsOn = (connection: number, of: () => Worker | undefined): SqliteStatements => ({
    async execute(statement, withinMs) {
      const [result] = await ask(of(), { connection, does: 'statements', statements: [statement] }, withinMs);
      return result!;
    },
    transaction: (statements, withinMs) =>
      ask(of(), { connection, does: 'transaction', statements }, withinMs),
  });

  const end = async (): Promise<void> => {
    if (worker === undefined) return;
    const last = worker;
    const exited = new Promise((resolve) => last.once('exit', resolve));
    last.ref();
    last.postMessage('end');
    const timer = setTimeout(() => void last.terminate(), endWithinMs);
    await exited;
    clearTimeout(timer);
  };

  return {
    ...statementsOn(0, running),
    async open(withinMs) {
      const of = running();
      const connection = ++lastId;
      const close = async () => {
        await ask(of, { connection, does: 'close', statements: [] }, closeWithinMs);
      };
      try {
        await ask(of, { connection, does: 'statements', statements: [] }, withinMs);
      } catch (error) {
        // it may open yet, for nobody
        if (error instanceof NoAnswer) close().catch(() => undefined);
        throw error;
      }
      return {
        ...statementsOn(connection, () => of),
        close,
        get alive() {
          return worker === of;
        },
      };
    },
    end: () => (ending ??= end()),
  };
}

/** What it has at hand is one message; without these the engine lets more lie. */
const resourceLimits = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 256 };

function newWorker(workerData: SqliteFile): Worker {
  return isSea()
    ? new Worker(getAsset(sqliteThreadAsset, 'utf8'), { eval: true, workerData, resourceLimits })
    : new Worker(join(import.meta.dirname, 'sqlite-thread-program.ts'), { workerData, resourceLimits });
}
