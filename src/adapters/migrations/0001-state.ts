import type { Migration } from './migration.ts';
import {
  address,
  boolean,
  bytes,
  createIndex,
  createTable,
  identity,
  integer,
  json,
  optional,
  references,
  text,
  unique,
} from './table.ts';

/** What is in them: `ports/database-tables.ts`. */
export const state: Migration = {
  name: '0001-state',
  oldestRelease: '0.1.0',
  async up(db, kind) {
    await createTable(db, kind, 'users', {
      id: identity,
      name: unique(text),
      password_hash: text,
      role: text,
      created_ms: integer,
      last_sign_in_ms: optional(integer),
      disabled: boolean,
      session_stamp: text,
    });

    const session = {
      token_hash: bytes,
      user_id: references('users(id) on delete cascade'),
      created_ms: integer,
      last_used_ms: integer,
      expires_ms: integer,
      data: json,
    };
    await createTable(db, kind, 'sessions', session, { primaryKey: ['token_hash'] });
    await createIndex(db, 'sessions', 'user_id');
    await createIndex(db, 'sessions', 'expires_ms');

    await createTable(db, kind, 'audit_log', {
      id: identity,
      at_ms: integer,
      actor: text,
      action: text,
      subject: optional(text),
      address: optional(address),
      details: json,
    });
    await createIndex(db, 'audit_log', 'at_ms');

    const visit = { hour_ms: integer, country: text, asn: integer, status_class: integer, visits: integer };
    const visitKey = ['hour_ms', 'country', 'asn', 'status_class'];
    await createTable(db, kind, 'visits', visit, { primaryKey: visitKey });
    const day = { day_ms: integer, country: text, status_class: integer, visits: integer };
    await createTable(db, kind, 'visit_days', day, { primaryKey: ['day_ms', 'country', 'status_class'] });
    const operatorDay = { day_ms: integer, asn: integer, visits: integer };
    await createTable(db, kind, 'operator_days', operatorDay, { primaryKey: ['day_ms', 'asn'] });
    await createTable(db, kind, 'network_operators', { asn: integer, name: text }, { primaryKey: ['asn'] });

    const kept = { day_ms: integer, address, visits: integer, last_seen_ms: integer };
    await createTable(db, kind, 'kept_addresses', kept, { primaryKey: ['day_ms', 'address'] });

    const writer = { writer: text, batch: integer, at_ms: integer };
    await createTable(db, kind, 'visit_writers', writer, { primaryKey: ['writer'] });

    await createTable(db, kind, 'certificate_events', {
      id: identity,
      at_ms: integer,
      event: text,
      name: text,
      authority: text,
      not_after_ms: optional(integer),
      error: optional(text),
      details: json,
    });
    await createIndex(db, 'certificate_events', 'name', 'at_ms');
    await createIndex(db, 'certificate_events', 'at_ms');

    const edition = {
      edition: text,
      built_ms: integer,
      fetched_ms: integer,
      source: text,
      size_bytes: integer,
      sha256: bytes,
    };
    await createTable(db, kind, 'geoip_editions', edition, { primaryKey: ['edition', 'built_ms'] });

    const setting = { key: text, value: json, changed_ms: integer, changed_by: text };
    await createTable(db, kind, 'settings', setting, { primaryKey: ['key'] });
  },
};
