import { Redis } from 'ioredis';
import { exitCodes, Failure, reasonOf } from '../core/errors.ts';
import type { ServerPassword } from '../ports/server-password.ts';

const timeoutMs = 10_000;

/** The password of Redis or Valkey at a Unix socket. It lasts until the server ends; then its file counts. */
export function createRedisPassword(socket: string): ServerPassword {
  /** Undefined where the password is wrong. */
  const signIn = async (password: string): Promise<Redis | undefined> => {
    const client = new Redis({
      path: socket,
      password,
      lazyConnect: true,
      connectTimeout: timeoutMs,
      commandTimeout: timeoutMs,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
    });
    // a refusal comes as an event, and the connection is then closed
    let failure: Error | undefined;
    client.on('error', (error: Error) => (failure ??= error));
    try {
      await client.connect();
      await client.ping();
      return client;
    } catch (error) {
      client.disconnect();
      const reason = failure ?? error;
      if (reason instanceof Error && /^(WRONGPASS|NOAUTH)/.test(reason.message)) return undefined;
      throw down(socket, reason);
    }
  };
  return {
    async accepts(password) {
      const client = await signIn(password);
      client?.disconnect();
      return client !== undefined;
    },
    async change(current, next) {
      const client = await signIn(current);
      if (client === undefined) throw refused(undefined);
      try {
        await client.config('SET', 'requirepass', next);
      } catch (error) {
        throw error instanceof Error && /^(ERR|NOPERM)/.test(error.message)
          ? refused(error)
          : down(socket, error);
      } finally {
        client.disconnect();
      }
    },
  };
}

function down(socket: string, error: unknown): Failure {
  return new Failure(`Redis at ${socket} cannot be asked: ${reasonOf(error)}`, {
    code: 'server-down',
    exitCode: exitCodes.notRunning,
    retryable: true,
    remedy: 'start it, "sudo appliance stack up", then try again',
  });
}

function refused(cause: unknown): Failure {
  return new Failure('Redis refuses to change the password', {
    code: 'password-refused',
    remedy: 'see "appliance stack logs redis"',
    ...(cause === undefined ? {} : { cause }),
  });
}
