import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import { Failure } from '../core/errors.ts';
import type { Engine } from './database-engine.ts';
import type { DatabaseLink } from './database-link.ts';
import { checkParameters, statementFailure } from './database-values.ts';

/** A connection whose failures have a name, and whose transaction is over when one of its statements failed. */
export class GuardedConnection implements DatabaseConnection {
  readonly inner: DatabaseConnection;
  readonly release: () => void;
  readonly #engine: Engine;
  readonly #link: DatabaseLink;
  #transaction: { readonly readOnly: boolean; failure?: Failure } | undefined;

  constructor(engine: Engine, link: DatabaseLink, inner: DatabaseConnection, release: () => void) {
    this.#engine = engine;
    this.#link = link;
    this.inner = inner;
    this.release = release;
  }

  begun(readOnly: boolean): void {
    this.#transaction = { readOnly };
  }

  ended(): void {
    this.#transaction = undefined;
  }

  /** Throws the first failure of the transaction's statements. */
  expectWhole(): void {
    if (this.#transaction?.failure !== undefined) throw this.#transaction.failure;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const transaction = this.#transaction;
    if (transaction?.failure !== undefined) {
      throw new Failure('a statement of this transaction failed before: nothing of it is kept', {
        code: 'database-transaction',
        cause: transaction.failure,
      });
    }
    try {
      return await this.named(async () => {
        checkParameters(query.parameters);
        const result = await this.inner.executeQuery<R>(query);
        if (result.numAffectedRows !== undefined) this.#link.wrote();
        return result;
      });
    } catch (error) {
      if (transaction !== undefined) transaction.failure = error as Failure;
      throw error;
    }
  }

  /** Does it, and gives whatever goes wrong its name. */
  async named<R>(work: () => Promise<R>): Promise<R> {
    try {
      return await work();
    } catch (error) {
      const failure = this.#engine.failureOf(error);
      if (failure.code === 'database-read-only' && this.#transaction?.readOnly === true)
        throw statementFailure('a snapshot cannot be written to', error);
      throw this.#link.met(failure);
    }
  }

  // eslint-disable-next-line require-yield
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw statementFailure('rows are read page by page, in a snapshot, not as a stream');
  }
}
