import type { Generated } from 'kysely';
import type { Migration } from '../../src/adapters/migrations/migration.ts';
import {
  address,
  boolean,
  bytes,
  createTable,
  identity,
  integer,
  json,
  optional,
  real,
  references,
  text,
  unique,
} from '../../src/adapters/migrations/table.ts';
import type { Json } from '../../src/ports/database-tables.ts';

/** Tables with a column of each type, for tests. */
export interface SampleTables {
  readonly samples: {
    id: Generated<number>;
    whole: number | bigint | null;
    fraction: number | null;
    words: string | null;
    raw: Uint8Array | null;
    yes: boolean | null;
    value: Json | null;
    address: string | null;
  };
  readonly accounts: { name: string; balance: number };
  readonly entries: { id: Generated<number>; account: number; note: string };
  readonly owners: { id: Generated<number>; name: string };
}

export const sampleTables: Migration = {
  name: '0001-samples',
  oldestRelease: '0.1.0',
  async up(db, kind) {
    await createTable(db, kind, 'samples', {
      id: identity,
      whole: optional(integer),
      fraction: optional(real),
      words: optional(text),
      raw: optional(bytes),
      yes: optional(boolean),
      value: optional(json),
      address: optional(address),
    });
    await createTable(db, kind, 'accounts', { name: text, balance: integer }, { primaryKey: ['name'] });
    await createTable(db, kind, 'owners', { id: identity, name: unique(text) });
    await createTable(db, kind, 'entries', {
      id: identity,
      account: references('owners(id) on delete cascade'),
      note: text,
    });
  },
};
