import type { PostgresPool, PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { mayTryOtherTls, type PostgresTls } from './postgres-tls.ts';

export interface PoolOptions extends Omit<pg.PoolConfig, 'ssl'> {
  /** Tried one after the other until one works. */
  readonly ways: readonly PostgresTls[];
  /** Patience with the network, beside the server's own with a statement: milliseconds for one answer. */
  readonly answerMs: number;
}

/** How long the connections may take to say good-bye before they are broken. */
const endWithinMs = 1_000;

/** `pg`'s pool, with what it lacks: other ways of TLS, an end of the wait for an answer, and an end of the wait at the end. */
export function createPool({ ways, answerMs, ...config }: PoolOptions): PostgresPool {
  const pools = ways.map((ssl) => {
    const pool = new pg.Pool({ ...config, ssl });
    // one that breaks while nobody uses it: the pool has thrown it away
    pool.on('error', () => undefined);
    // one that breaks in the moment between the pool's own listener and its user's
    pool.on('connect', (client) => client.on('error', () => undefined));
    return pool;
  });
  const inUse = new Set<Lease>();
  let current = 0;

  const connect = async (): Promise<Lease> => {
    const order = [current, ...pools.keys()].filter((way, index, all) => all.indexOf(way) === index);
    let failure: unknown;
    for (const way of order) {
      try {
        const client = await pools[way]!.connect();
        current = way;
        const lease = new Lease(client, answerMs, () => inUse.delete(lease));
        inUse.add(lease);
        return lease;
      } catch (error) {
        // the first says what its owner asked for
        failure ??= error;
        if (!mayTryOtherTls(error)) throw error;
      }
    }
    // whoever comes next starts with the best again
    current = 0;
    throw failure;
  };

  return {
    options: config,
    connect,
    async end() {
      const timer = setTimeout(() => {
        for (const lease of inUse) lease.break();
      }, endWithinMs);
      await Promise.all(pools.map((pool) => pool.end())).finally(() => clearTimeout(timer));
    },
  };
}

/** A connection for as long as somebody uses it. */
class Lease implements PostgresPoolClient {
  readonly #client: pg.PoolClient;
  readonly #answerMs: number;
  readonly #onEnd: () => void;
  #broken: Error | undefined;
  #released = false;
  readonly #note = (error: Error): void => {
    this.#broken ??= error;
  };

  constructor(client: pg.PoolClient, answerMs: number, onEnd: () => void) {
    this.#client = client;
    this.#answerMs = answerMs;
    this.#onEnd = onEnd;
    // nobody else listens while it is in use, and an error that nobody listens to ends the process
    client.on('error', this.#note);
  }

  readonly query = ((sql: string, parameters: readonly unknown[]) =>
    this.#query(sql, parameters)) as PostgresPoolClient['query'];

  async #query(sql: string, parameters: readonly unknown[]): Promise<unknown> {
    if (this.#broken !== undefined) throw this.#broken;
    let timer: NodeJS.Timeout | undefined;
    const silent = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`connection terminated: no answer for ${this.#answerMs} ms`));
        this.break();
      }, this.#answerMs);
    });
    try {
      return await Promise.race([this.#client.query(sql, [...parameters]), silent]);
    } catch (error) {
      // without a code of the server's it is the connection that failed; one that takes no writes may lead to a standby for ever
      const code = (error as { code?: unknown }).code;
      if (typeof code !== 'string' || !/^[0-9A-Z]{5}$/.test(code) || /^(08|57P|25006$)/.test(code))
        this.#note(error as Error);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  release(discard?: boolean): void {
    if (this.#released) return;
    this.#released = true;
    this.#client.off('error', this.#note);
    this.#onEnd();
    this.#client.release(this.#broken ?? discard);
  }

  break(): void {
    this.#note(new Error('connection terminated by us'));
    this.release(true);
  }
}
