/** What SQLite stores. */
export type SqliteValue = null | number | bigint | string | Uint8Array;

/** One statement with what is bound to its `?`. */
export interface SqliteStatement {
  readonly sql: string;
  readonly parameters?: readonly (SqliteValue | boolean)[];
}

export interface SqliteResult {
  /** What a SELECT or a RETURNING gave; whole numbers as bigint. */
  readonly rows: readonly Readonly<Record<string, SqliteValue>>[];
  /** Rows that were written; undefined for what only reads. */
  readonly changes: number | undefined;
  /** Columns that were declared with these types. */
  readonly booleans: readonly string[];
  readonly json: readonly string[];
}

/** How the thread opens its file; cloned into it. */
export interface SqliteFile {
  /** Made with its folder where it is not there, in WAL mode. Several threads and processes may use it. */
  readonly file: string;
  /**
   * `full`: what was committed survives a loss of power. `normal`, which is faster: the last transactions may be lost
   * then, but the file is never damaged.
   */
  readonly synchronous: 'full' | 'normal';
  /** Statements for each connection that is opened. */
  readonly prepare?: string;
}

/** Asked of the thread; each that is begun has one reply with its `id`. */
export interface ThreadRequest {
  readonly id: number;
  /** Opened when it is first asked for anything. */
  readonly connection: number;
  readonly does: 'statements' | 'transaction' | 'close';
  readonly statements: readonly SqliteStatement[];
  /** By `sharedNow`: nobody waits for it any longer after that, so it is not begun. */
  readonly before: number;
}

export type ThreadAnswer =
  readonly SqliteResult[] | { readonly message: string; readonly errcode: number | undefined };

export interface ThreadReply {
  readonly id: number;
  readonly answer: ThreadAnswer;
}

/** Milliseconds of the one clock that the threads of a process share. */
export function sharedNow(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}
