import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { sql } from 'kysely';
import type { Database } from '../ports/database.ts';
import type { TableShape } from '../ports/database-shape.ts';
import type { ScratchDatabases } from '../ports/scratch-database.ts';
import { createPostgresDatabase, type PostgresSettings } from './database-postgres.ts';
import { columnList, createScratchDatabases, type ScratchEngine } from './scratch-database.ts';

export interface ScratchPostgresSettings extends PostgresSettings {
  /** Whose host's lock keeps two from being at it: what others left in a shared server stays. */
  readonly dataDir: string;
}

/** Whole tables are copied in one statement, while others may still be writing. */
const patience = { statementMs: 3_600_000, lockMs: 60_000 };

/** A schema of its own in the database: docs/adr/0010. */
export function createScratchPostgres({ dataDir, ...settings }: ScratchPostgresSettings): ScratchDatabases {
  const ownHost = createHash('sha256').update(`${hostname()}\0${dataDir}`).digest('hex').slice(0, 8);
  const prefix = `appliance_scratch_${ownHost}_`;
  const engine: ScratchEngine = {
    async make() {
      const real = createPostgresDatabase({ ...settings, patience, maxConnections: 1 });
      const drop = (schema: string) =>
        sql`drop schema if exists ${sql.id(schema)} cascade`.execute(real.queries);
      const schema = prefix + randomBytes(4).toString('hex');
      try {
        const left = await sql<{ nspname: string }>`
          select nspname from pg_namespace where starts_with(nspname, ${prefix})`.execute(real.queries);
        for (const { nspname } of left.rows) await drop(nspname);
        await sql`create schema ${sql.id(schema)}`.execute(real.queries);
      } catch (error) {
        await real.close();
        throw error;
      }
      return {
        open: (migrations) =>
          createPostgresDatabase({ ...settings, migrations, patience, schema, maxConnections: 1 }),
        async replaceReal(database, tables) {
          const found = await sql<{ name: string }>`select current_schema() as name`.execute(real.queries);
          await replace(database, schema, found.rows[0]!.name, tables);
        },
        async supersedeReal(database, stamp) {
          const found = await sql<{ name: string }>`select current_schema() as name`.execute(real.queries);
          await supersede(database, schema, found.rows[0]!.name, aside(stamp));
        },
        superseded: (stamp) => `the schema ${aside(stamp)}`,
        async remove() {
          try {
            await drop(schema);
          } finally {
            await real.close();
          }
        },
      };
    },
  };
  return createScratchDatabases(engine, settings.migrations);
}

function replace(
  database: Database,
  scratch: string,
  real: string,
  tables: readonly TableShape[],
): Promise<void> {
  const named = (name: string) => sql`${sql.id(real, name)}`;
  const all = sql.join(tables.map(({ name }) => named(name)));
  return database.transaction(async (transaction) => {
    // all at once, so that nobody who holds one waits for us while we wait for him
    await sql`lock table ${all} in access exclusive mode`.execute(transaction);
    // not by TRUNCATE: whoever began to read before, and waits for the lock, would then see empty tables
    for (const { name } of tables.toReversed()) await sql`delete from ${named(name)}`.execute(transaction);
    for (const { name, columns } of tables) {
      const list = columnList(columns);
      await sql`insert into ${named(name)} (${list}) select ${list} from ${sql.id(scratch, name)}`.execute(
        transaction,
      );
    }
    await continueNumbers(transaction, real);
  });
}

const aside = (stamp: string): string => `appliance_newer_${stamp.toLowerCase()}`;

/** All that the role has in the schema moves, whatever a newer release called it; what is an extension's or somebody else's stays. */
function supersede(database: Database, scratch: string, real: string, aside: string): Promise<void> {
  return database.transaction(async (transaction) => {
    const move = async (from: string, to: string) => {
      for (const name of await relations(transaction, from))
        await sql`alter table ${sql.id(from, name)} set schema ${sql.id(to)}`.execute(transaction);
    };
    await sql`create schema ${sql.id(aside)}`.execute(transaction);
    await move(real, aside);
    await move(scratch, real);
    await continueNumbers(transaction, real);
  });
}

/** Tables, views and sequences; those sequences that belong to a column move with its table. */
async function relations(queries: Database['queries'], schema: string): Promise<readonly string[]> {
  const found = await sql<{ name: string }>`
    select t.relname as name
    from pg_class t join pg_namespace n on n.oid = t.relnamespace
    where n.nspname = ${schema} and t.relkind in ('r', 'p', 'v', 'm', 'S', 'f') and pg_has_role(t.relowner, 'USAGE')
      and not exists (select 1 from pg_depend d where d.objid = t.oid and d.classid = 'pg_class'::regclass
        and (d.deptype = 'e' or t.relkind = 'S' and d.deptype in ('a', 'i')))
    order by 1`.execute(queries);
  return found.rows.map(({ name }) => name);
}

/** What is numbered by itself goes on behind the highest number. */
async function continueNumbers(transaction: Database['queries'], schema: string): Promise<void> {
  for (const { table, column } of await identities(transaction, schema)) {
    const sequence = sql`pg_get_serial_sequence(${`"${schema}"."${table}"`}, ${column})`;
    // a sequence does not go back with its transaction, so it must never be set lower than it is
    await sql`
      select setval(${sequence}, greatest(m.highest, (select last_value from pg_sequences
          where format('%I.%I', schemaname, sequencename)::regclass = ${sequence}::regclass)))
      from (select max(${sql.id(column)}) as highest from ${sql.id(schema, table)}) m where m.highest is not null`.execute(
      transaction,
    );
  }
}

async function identities(queries: Database['queries'], schema: string) {
  const found = await sql<{ table: string; column: string }>`
    select t.relname as "table", a.attname as "column"
    from pg_attribute a join pg_class t on t.oid = a.attrelid join pg_namespace n on n.oid = t.relnamespace
    where n.nspname = ${schema} and a.attidentity <> '' and not a.attisdropped and t.relkind in ('r', 'p')
    order by 1, 2`.execute(queries);
  return found.rows;
}
