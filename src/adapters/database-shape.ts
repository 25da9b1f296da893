import { sql } from 'kysely';
import { Failure } from '../core/errors.ts';
import type { ColumnShape, ColumnType, DatabaseShape, TableShape } from '../ports/database-shape.ts';
import type { Queries } from '../ports/database.ts';
import { type DatabaseKind, sqliteAddress } from './migrations/table.ts';

/** A column as a catalogue has it. */
interface Found {
  readonly table_name: string;
  readonly column_name: string;
  readonly type: string;
  /** 1 or 0. */
  readonly nullable: number;
  /** From 1; 0 where it is not in the primary key. */
  readonly key_place: number;
  /** The text that made the table, in SQLite. */
  readonly declaration: string | null;
}
interface Reference {
  readonly table_name: string;
  readonly target: string;
}

const migrationsTable = 'schema_migrations';
/** Tables of the embedded cache, which lies in the same file. */
const ofTheCache = /^cache_/;

/** See `Database.shape`. */
export async function readShape<T>(queries: Queries<T>, kind: DatabaseKind): Promise<DatabaseShape> {
  const catalogue = kind === 'postgres' ? postgres : sqlite;
  const found = (await catalogue.columns.execute(queries)).rows;
  const references = (await catalogue.references.execute(queries)).rows;
  const byTable = Map.groupBy(found, (column) => column.table_name);
  const migrated = byTable.delete(migrationsTable);
  const tables = [...byTable]
    .filter(([name]) => !ofTheCache.test(name))
    .map(([name, columns]) => tableFrom(name, columns, kind));
  return { tables: inOrder(tables, references), migrations: migrated ? await migrationsOf(queries) : [] };
}

async function migrationsOf<T>(queries: Queries<T>): Promise<readonly string[]> {
  const done = sql<{ name: string }>`select name from ${sql.table(migrationsTable)} order by name`;
  return (await done.execute(queries)).rows.map(({ name }) => name);
}

/** Columns come in their order. What belongs to an extension (`deptype` e) is its own affair. */
const postgres = {
  columns: sql<Found>`
    select t.relname as table_name, a.attname as column_name, format_type(a.atttypid, -1) as type,
      case when a.attnotnull then 0 else 1 end as nullable,
      coalesce(array_position(k.conkey, a.attnum), 0) as key_place, null as declaration
    from pg_class t
    join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    left join pg_constraint k on k.conrelid = t.oid and k.contype = 'p'
    where t.relnamespace = (select oid from pg_namespace where nspname = current_schema())
      and t.relkind in ('r', 'p') and not t.relispartition
      and not exists (select 1 from pg_depend d where d.objid = t.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e')
    order by t.relname, a.attnum`,
  references: sql<Reference>`
    select t.relname as table_name, r.relname as target
    from pg_constraint k join pg_class t on t.oid = k.conrelid join pg_class r on r.oid = k.confrelid
    where k.contype = 'f' and t.relnamespace = (select oid from pg_namespace where nspname = current_schema())`,
};

const sqlite = {
  columns: sql<Found>`
    select m.name as table_name, c.name as column_name, c.type as type, 1 - c."notnull" as nullable, c.pk as key_place,
      m.sql as declaration
    from sqlite_schema m, pragma_table_info(m.name) c
    where m.type = 'table' and m.name not like 'sqlite@_%' escape '@'
    order by m.name, c.cid`,
  references: sql<Reference>`
    select m.name as table_name, f."table" as target from sqlite_schema m, pragma_foreign_key_list(m.name) f
    where m.type = 'table'`,
};

function tableFrom(name: string, columns: readonly Found[], kind: DatabaseKind): TableShape {
  const key = columns.filter((column) => column.key_place > 0).toSorted((a, b) => a.key_place - b.key_place);
  if (key.length === 0) throw foreign(kind, `the table "${name}" has no primary key`);
  return {
    name,
    columns: columns.map((column) => columnFrom(column, kind)),
    primaryKey: key.map((column) => column.column_name),
  };
}

function columnFrom(column: Found, kind: DatabaseKind): ColumnShape {
  const type = kind === 'postgres' ? postgresTypes[column.type] : sqliteType(column);
  const { table_name, column_name: name, nullable, key_place } = column;
  if (type === undefined)
    throw foreign(kind, `the column "${name}" of the table "${table_name}" is of the type ${column.type}`);
  // SQLite does not say it of the column that stands for the row
  return { name, type, nullable: nullable === 1 && key_place === 0 };
}

/** What `migrations/table.ts` makes. */
const postgresTypes: Readonly<Record<string, ColumnType>> = {
  bigint: 'integer',
  'double precision': 'real',
  text: 'text',
  bytea: 'bytes',
  boolean: 'boolean',
  json: 'json',
  inet: 'address',
};
const sqliteTypes: Readonly<Record<string, ColumnType>> = {
  INTEGER: 'integer',
  REAL: 'real',
  TEXT: 'text',
  BLOB: 'bytes',
  BOOLEAN: 'boolean',
  JSON_TEXT: 'json',
};

function sqliteType({ type, column_name, declaration }: Found): ColumnType | undefined {
  const known = sqliteTypes[type.toUpperCase()];
  return known === 'text' && declaration?.includes(sqliteAddress(`"${column_name}"`)) ? 'address' : known;
}

/** Whatever is referred to comes first, else by name. */
function inOrder(tables: readonly TableShape[], references: readonly Reference[]): readonly TableShape[] {
  const byName = tables.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const sorted = new Set<TableShape>();
  const seen = new Set<TableShape>();
  const add = (table: TableShape): void => {
    // two that refer to each other have no order
    if (seen.has(table)) return;
    seen.add(table);
    const targets = references.filter((each) => each.table_name === table.name).map(({ target }) => target);
    for (const each of byName) if (targets.includes(each.name)) add(each);
    sorted.add(table);
  };
  for (const table of byName) add(table);
  return [...sorted];
}

function foreign(kind: DatabaseKind, what: string): Failure {
  return new Failure(`the database holds what is not the appliance's: ${what}`, {
    code: 'database-foreign',
    remedy: `Move it into a ${kind === 'postgres' ? 'schema or a database' : 'file'} of its own.`,
  });
}
