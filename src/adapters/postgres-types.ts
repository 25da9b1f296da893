import pg from 'pg';
import { exactNumber } from './database-values.ts';

/** Object identifiers of PostgreSQL's types (pg_type.dat). */
const oids = {
  bytea: 17,
  int8: 20,
  date: 1082,
  timestamp: 1114,
  timestamptz: 1184,
  interval: 1186,
  numeric: 1700,
} as const;

const asText = (found: string) => found;
const own = pg.types.getTypeParser as (oid: number, format?: 'text' | 'binary') => (found: string) => unknown;
const instant = own(oids.timestamptz);
const buffer = own(oids.bytea);

const parsers: Readonly<Record<number, (found: string) => unknown>> = {
  [oids.int8]: exactNumber,
  // what `sum` of int8 gives
  [oids.numeric]: exactNumber,
  [oids.bytea]: (found) => new Uint8Array(buffer(found) as Buffer),
  // milliseconds since 1970; what is finer than that goes; infinity stays
  [oids.timestamptz]: (found) => Number(instant(found)),
  // without a zone they are no moments
  [oids.date]: asText,
  [oids.timestamp]: asText,
  [oids.interval]: asText,
};

/** Makes of PostgreSQL's values what SQLite gives too. Arrays and what is not listed stay as `pg` has them. */
export const postgresTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    parsers[oid] ?? own(oid, format)) as pg.CustomTypesConfig['getTypeParser'],
};
