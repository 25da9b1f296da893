import type { Dialect, Driver, TransactionSettings } from 'kysely';
import { Failure } from '../core/errors.ts';
import type { Engine } from './database-engine.ts';
import type { DatabaseLink } from './database-link.ts';
import { GuardedConnection } from './guarded-connection.ts';
import { createSlots } from '../core/slots.ts';

export interface Guard {
  readonly dialect: Dialect;
  /** Resolves when nothing is under way any more, at the latest after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/**
 * Puts the same behaviour in front of both drivers: failures that have a name, transactions that are over when one of their
 * statements failed (as PostgreSQL's are), a bound on what goes on at once, no dialling while a database is away, and an end.
 */
export function guard(engine: Engine, link: DatabaseLink): Guard {
  let driver: GuardedDriver | undefined;
  const dialect: Dialect = {
    createAdapter: () => engine.dialect.createAdapter(),
    createQueryCompiler: () => engine.dialect.createQueryCompiler(),
    createIntrospector: (db) => engine.dialect.createIntrospector(db),
    createDriver: () => (driver = new GuardedDriver(engine, link)),
  };
  return { dialect, close: (graceMs) => driver?.close(graceMs) ?? Promise.resolve() };
}

class GuardedDriver implements Driver {
  readonly #engine: Engine;
  readonly #link: DatabaseLink;
  readonly #driver: Driver;
  readonly #slots: ReturnType<typeof createSlots>;
  #closing: Promise<void> | undefined;

  constructor(engine: Engine, link: DatabaseLink) {
    this.#engine = engine;
    this.#link = link;
    this.#driver = engine.dialect.createDriver();
    this.#slots = createSlots(engine.maxConnections);
  }

  init(): Promise<void> {
    return this.#driver.init();
  }

  async acquireConnection(): Promise<GuardedConnection> {
    this.#expectOpen();
    this.#link.expectDialTime();
    const { connectionMs, maxConnections } = this.#engine;
    const release = await this.#slots.take(connectionMs);
    if (release === undefined) {
      throw new Failure(
        `all ${maxConnections} connections to the database were in use for ${connectionMs} ms`,
        {
          code: 'database-busy',
          retryable: true,
          remedy: 'Try again in a moment.',
        },
      );
    }
    try {
      this.#expectOpen();
      // another of those that waited may have found out meanwhile
      this.#link.expectDialTime();
      const inner = await this.#driver.acquireConnection();
      this.#link.dialled();
      return new GuardedConnection(this.#engine, this.#link, inner, release);
    } catch (error) {
      release();
      const failure = this.#engine.failureOf(error);
      // one connection more may be too many for a database that is there all the same
      const isThere = failure.code === 'database-busy' && this.#link.state().status === 'up';
      throw isThere || this.#closing ? failure : this.#link.notDialled(failure);
    }
  }

  async releaseConnection(connection: GuardedConnection): Promise<void> {
    try {
      await this.#driver.releaseConnection(connection.inner);
    } finally {
      connection.release();
    }
  }

  async beginTransaction(connection: GuardedConnection, settings: TransactionSettings): Promise<void> {
    await connection.named(() => this.#driver.beginTransaction(connection.inner, settings));
    connection.begun(settings.accessMode === 'read only');
  }

  async commitTransaction(connection: GuardedConnection): Promise<void> {
    connection.expectWhole();
    await connection.named(() => this.#driver.commitTransaction(connection.inner));
    connection.ended();
  }

  async rollbackTransaction(connection: GuardedConnection): Promise<void> {
    connection.ended();
    // a connection that cannot go back is thrown away; what made us go back is what the caller has to know
    await connection.named(() => this.#driver.rollbackTransaction(connection.inner)).catch(() => undefined);
  }

  destroy(): Promise<void> {
    return this.close(0);
  }

  close(graceMs: number): Promise<void> {
    return (this.#closing ??= this.#close(graceMs));
  }

  async #close(graceMs: number): Promise<void> {
    const giveUpAt = performance.now() + graceMs;
    // whoever gets no place any more has to know it; who has one may go on until its end
    const places = Array.from({ length: this.#engine.maxConnections }, () =>
      this.#slots.take(Math.max(0, giveUpAt - performance.now())),
    );
    await Promise.all(places);
    await this.#driver.destroy().catch(() => undefined);
  }

  #expectOpen(): void {
    if (this.#closing === undefined) return;
    throw new Failure('the database was closed', { code: 'database-closed' });
  }
}
