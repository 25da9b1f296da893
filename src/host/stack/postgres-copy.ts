import type { Docker } from './docker.ts';
import { Failure } from '../../core/errors.ts';

/** A server in a running container, where the superuser needs no password. */
export interface RunningPostgres {
  readonly container: string;
}

/** Where the programs of the newer version reach the older server: in its own container, with that socket mounted. */
export interface CopyRequest {
  readonly docker: Docker;
  readonly from: RunningPostgres;
  readonly to: RunningPostgres;
  /** The folder of the older server's socket, as the newer one's container sees it. */
  readonly oldSocketFolder: string;
  readonly progress: (step: string) => void;
}

/**
 * Copies roles, with their passwords, and every database from one server to another of a newer version, by that one's
 * own pg_dumpall and pg_dump, as PostgreSQL's documentation has it; then counts the rows of every table on both sides.
 * Rejects with the Failure `copy-failed`, or `copy-differs`.
 */
export async function copyPostgres({
  docker,
  from,
  to,
  oldSocketFolder,
  progress,
}: CopyRequest): Promise<void> {
  const old = ['--host', oldSocketFolder, '--username', 'postgres'];
  progress('copying roles');
  const globals = await output(docker, to, ['pg_dumpall', ...old, '--globals-only']);
  // the one role that every server has
  const roles = globals.replace(/^CREATE ROLE postgres;$/m, '');
  await output(docker, to, psql('postgres'), roles);
  const databases = (await ask(docker, from, 'postgres', listDatabases)).filter((name) => name !== '');
  for (const name of databases) {
    progress(`copying the database ${name}`);
    const create = name === 'postgres' ? [] : ['--create'];
    // both ends in one container: the data goes through no process of ours
    const pipe =
      'set -o pipefail; pg_dump "${@:3}" --dbname="$2" | psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username=postgres --dbname="$1"';
    await output(docker, to, ['bash', '-c', pipe, 'copy', 'postgres', connection(name), ...old, ...create]);
  }
  progress('counting rows on both sides');
  for (const name of databases) {
    const counts = async (server: RunningPostgres) => {
      const tables = (await ask(docker, server, name, listTables)).filter((table) => table !== '');
      return ask(
        docker,
        server,
        name,
        tables.map((table) => `SELECT ${literal(table)}, count(*) FROM ${table};`).join('\n'),
      );
    };
    const [before, after] = [await counts(from), await counts(to)];
    const odd = before.find((line, at) => line !== after[at]);
    if (odd === undefined && before.length === after.length) continue;
    throw new Failure(`the copy of the database ${name} differs from the original: ${odd ?? 'it has more'}`, {
      code: 'copy-differs',
      remedy: 'nothing was changed; try again, and tell the developers if it happens twice',
    });
  }
}

const listDatabases = `SELECT datname FROM pg_database WHERE NOT datistemplate AND datallowconn ORDER BY datname;`;
const listTables = `SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_t%' ORDER BY 1;`;

function psql(database: string): string[] {
  return [
    'psql',
    '--no-psqlrc',
    '--quiet',
    '--tuples-only',
    '--no-align',
    '--set=ON_ERROR_STOP=1',
    '--username=postgres',
    `--dbname=${connection(database)}`,
  ];
}

/** A name with `=` would be taken for a connection string (libpq 32.1.1). */
function connection(database: string): string {
  return `dbname='${database.replace(/['\\]/g, String.raw`\$&`)}'`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

async function ask(
  docker: Docker,
  server: RunningPostgres,
  database: string,
  sql: string,
): Promise<string[]> {
  return (await output(docker, server, psql(database), sql)).trim().split('\n');
}

async function output(
  docker: Docker,
  { container }: RunningPostgres,
  command: readonly string[],
  input = '',
): Promise<string> {
  const { exitCode, stdout, stderr } = await docker.run(['exec', '--interactive', container, ...command], {
    input,
  });
  if (exitCode === 0) return stdout;
  throw new Failure(`${command[0]} in ${container} failed`, {
    code: 'copy-failed',
    retryable: true,
    remedy: 'nothing was changed: the old server goes on; correct what it says and try again',
    cause: new Error(stderr.trim().split('\n').slice(-3).join('\n')),
  });
}
