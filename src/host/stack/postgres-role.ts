import type { ComposeProject } from './compose.ts';
import { scramVerifier } from './scram-verifier.ts';
import type { PostgresService } from './stack-services.ts';

const psql = [
  'psql',
  '--no-psqlrc',
  '--quiet',
  '--username=postgres',
  '--dbname=postgres',
  '--set=ON_ERROR_STOP=1',
];

/**
 * Makes the service's role and database where they are missing, and gives the role the password of the configuration:
 * what was changed by hand, and a volume of other days, are right afterwards. The role is no more than the owner of its
 * database. Signs in as the superuser, which only who is in the container can.
 */
export async function settleDatabase(
  project: Pick<ComposeProject, 'execute'>,
  { role, database, password }: PostgresService,
): Promise<void> {
  const sql = [
    unless(`SELECT FROM pg_roles WHERE rolname = ${literal(role)}`, `CREATE ROLE ${identifier(role)}`),
    `ALTER ROLE ${identifier(role)} LOGIN NOSUPERUSER NOCREATEDB PASSWORD ${literal(scramVerifier(password))};`,
    unless(
      `SELECT FROM pg_database WHERE datname = ${literal(database)}`,
      `CREATE DATABASE ${identifier(database)} OWNER ${identifier(role)}`,
    ),
  ];
  await project.execute('postgres', psql, `${sql.join('\n')}\n`);
}

/** Lets the role sign in, or keeps it out: whoever is in is sent away. */
export async function setLogin(
  project: Pick<ComposeProject, 'execute'>,
  role: string,
  allowed: boolean,
): Promise<void> {
  const sql = [
    `ALTER ROLE ${identifier(role)} ${allowed ? 'LOGIN' : 'NOLOGIN'};`,
    ...(allowed
      ? []
      : [`SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = ${literal(role)};`]),
  ];
  await project.execute('postgres', psql, `${sql.join('\n')}\n`);
}

/** psql runs what a query returns. */
function unless(exists: string, statement: string): string {
  return `SELECT ${literal(statement)} WHERE NOT EXISTS (${exists}) \\gexec`;
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
