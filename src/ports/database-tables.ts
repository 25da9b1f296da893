import type { ColumnType, Generated } from 'kysely';

/**
 * What is kept, as both databases give it back. Times are milliseconds since 1970, addresses their canonical text
 * (`core/ip-address.ts`), bytes `Uint8Array`. The tables themselves are made in `adapters/migrations`.
 */
export interface Tables {
  readonly users: UsersTable;
  readonly sessions: SessionsTable;
  readonly audit_log: AuditLogTable;
  readonly visits: VisitsTable;
  readonly visit_days: VisitDaysTable;
  readonly operator_days: OperatorDaysTable;
  readonly network_operators: NetworkOperatorsTable;
  readonly kept_addresses: KeptAddressesTable;
  readonly visit_writers: VisitWritersTable;
  readonly certificate_events: CertificateEventsTable;
  readonly geoip_editions: GeoipEditionsTable;
  readonly settings: SettingsTable;
  readonly schema_migrations: SchemaMigrationsTable;
}

export type JsonValue =
  null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** Read as the value; written as its text, by `JSON.stringify`. */
export type Json = ColumnType<JsonValue, string, string>;

/** People who may sign in to the dashboard. */
export interface UsersTable {
  id: Generated<number>;
  name: string;
  /** In the PHC string format, never the password. */
  password_hash: string;
  role: string;
  created_ms: number;
  last_sign_in_ms: number | null;
  disabled: boolean;
  /** A random text that this person's sessions must carry: a new one ends them all. */
  session_stamp: string;
}

/** Sessions that outlive the cache (`APP_SESSIONS=persistent`). */
export interface SessionsTable {
  /** SHA-256 of what the browser holds, so that nobody signs in with a copy of this table. */
  token_hash: Uint8Array;
  user_id: number;
  created_ms: number;
  last_used_ms: number;
  expires_ms: number;
  data: Json;
}

/** Who did what. Names are copied: an entry outlives the person. */
export interface AuditLogTable {
  id: Generated<number>;
  at_ms: number;
  actor: string;
  action: string;
  subject: string | null;
  /** Where the person who acted came from. */
  address: string | null;
  details: Json;
}

/** Visits of an hour by country, network operator and status class: never an address. */
export interface VisitsTable {
  /** The start of the hour (UTC). */
  hour_ms: number;
  /** ISO 3166-1 alpha-2; empty where it is not known. */
  country: string;
  /** Number of the autonomous system (RFC 6793); 0 where it is not known. */
  asn: number;
  /** 2 for 200 to 299, and so on. */
  status_class: number;
  visits: number;
}

/** Sums of `visits` for each day, so that a month is read from few rows. */
export interface VisitDaysTable {
  /** The start of the day (UTC). */
  day_ms: number;
  country: string;
  status_class: number;
  visits: number;
}

export interface OperatorDaysTable {
  day_ms: number;
  asn: number;
  visits: number;
}

export interface NetworkOperatorsTable {
  asn: number;
  name: string;
}

/** Whole addresses of callers, for as many days as `APP_KEEP_ADDRESSES` says; empty without it. */
export interface KeptAddressesTable {
  day_ms: number;
  address: string;
  visits: number;
  last_seen_ms: number;
}

/** The last batch that each process added to the visits, so that one whose end nobody saw is not added twice. */
export interface VisitWritersTable {
  writer: string;
  batch: number;
  at_ms: number;
}

/** What happened to certificates: issued, failed, expiring, expired. */
export interface CertificateEventsTable {
  id: Generated<number>;
  at_ms: number;
  event: string;
  name: string;
  authority: string;
  not_after_ms: number | null;
  error: string | null;
  details: Json;
}

/** The GeoIP databases that were in use. */
export interface GeoipEditionsTable {
  edition: string;
  built_ms: number;
  fetched_ms: number;
  source: string;
  size_bytes: number;
  sha256: Uint8Array;
}

/** What people set in the dashboard; the files of the secrets folder are not here. */
export interface SettingsTable {
  key: string;
  value: Json;
  changed_ms: number;
  changed_by: string;
}

/** What was done to the tables, by which release, and which releases can still work on them. */
export interface SchemaMigrationsTable {
  name: string;
  applied_ms: number;
  release: string;
  oldest_release: string;
}
