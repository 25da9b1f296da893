import { Client, DatabaseError } from 'pg';
import { exitCodes, Failure, reasonOf } from '../core/errors.ts';
import type { ServerPassword } from '../ports/server-password.ts';

export interface PostgresLogin {
  /** The folder of its Unix socket. */
  readonly host: string;
  readonly role: string;
  readonly database: string;
  /** What the server is to keep in place of a password (RFC 5803). */
  readonly verifierOf: (password: string) => string;
}

const timeoutMs = 10_000;
/** invalid_password, invalid_authorization_specification */
const refusals = ['28P01', '28000'];

/** The role's own password in PostgreSQL: a role may change it. */
export function createPostgresPassword({ host, role, database, verifierOf }: PostgresLogin): ServerPassword {
  /** Undefined where the password is wrong. */
  const signIn = async (password: string): Promise<Client | undefined> => {
    const client = new Client({
      host,
      port: 5432,
      user: role,
      database,
      password,
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
      application_name: 'appliance secrets rotate',
    });
    // a connection that breaks is told by the call that needed it
    client.on('error', () => {});
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.end().catch(() => {});
      if (error instanceof DatabaseError && refusals.includes(error.code ?? '')) return undefined;
      throw down(host, error);
    }
  };
  return {
    async accepts(password) {
      const client = await signIn(password);
      await client?.end();
      return client !== undefined;
    },
    async change(current, next) {
      const client = await signIn(current);
      if (client === undefined) throw refused(undefined);
      try {
        const verifier = client.escapeLiteral(verifierOf(next));
        await client.query(`ALTER ROLE ${client.escapeIdentifier(role)} PASSWORD ${verifier}`);
      } catch (error) {
        throw error instanceof DatabaseError ? refused(error) : down(host, error);
      } finally {
        await client.end().catch(() => {});
      }
    },
  };
}

function down(host: string, error: unknown): Failure {
  return new Failure(`PostgreSQL at ${host} cannot be asked: ${reasonOf(error)}`, {
    code: 'server-down',
    exitCode: exitCodes.notRunning,
    retryable: true,
    remedy: 'start it, "sudo appliance stack up", then try again',
  });
}

function refused(cause: unknown): Failure {
  return new Failure('PostgreSQL refuses to change the password', {
    code: 'password-refused',
    remedy: 'see "appliance stack logs postgres"',
    ...(cause === undefined ? {} : { cause }),
  });
}
