/**
 * The tables of the embedded cache. Each entry counts in its namespace by triggers, so that the bound costs a look and no
 * counting. Another shape gets other names: what is in a cache need not be moved.
 */
export const cacheTables = `
  CREATE TABLE IF NOT EXISTS cache_entries (
    id INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,
    key BLOB NOT NULL,
    value BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    UNIQUE (namespace, key)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS cache_entries_expiry ON cache_entries (namespace, expires_at);
  CREATE TABLE IF NOT EXISTS cache_namespaces (
    namespace TEXT PRIMARY KEY,
    entries INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER IF NOT EXISTS cache_entry_came AFTER INSERT ON cache_entries BEGIN
    INSERT INTO cache_namespaces VALUES (new.namespace, 1)
      ON CONFLICT (namespace) DO UPDATE SET entries = entries + 1;
  END;
  CREATE TRIGGER IF NOT EXISTS cache_entry_went AFTER DELETE ON cache_entries BEGIN
    UPDATE cache_namespaces SET entries = entries - 1 WHERE namespace = old.namespace;
  END;
`;

const insert = 'INSERT INTO cache_entries (namespace, key, value, expires_at) VALUES (?1, ?2, ?3, ?4)';
const here = 'namespace = ?1 AND key = ?2';
/** The digits of a count, or NULL where the value is none. */
const count = `(SELECT CAST(digits AS INTEGER) FROM (SELECT CAST(value AS TEXT) AS digits)
  WHERE length(digits) <= 15 AND digits = CAST(CAST(digits AS INTEGER) AS TEXT))`;
const bytes = (number: string) => `CAST(CAST(${number} AS TEXT) AS BLOB)`;

/** ?1 namespace, ?2 key, and ?5 the time now in all of them, in milliseconds since 1970. */
export const cacheStatements = {
  get: `SELECT value FROM cache_entries WHERE ${here} AND expires_at > ?3`,
  take: `DELETE FROM cache_entries WHERE ${here} RETURNING value, expires_at > ?3 AS live`,
  touch: `UPDATE cache_entries SET expires_at = ?4 WHERE ${here} AND expires_at > ?3 RETURNING 1`,
  set: `${insert} ON CONFLICT DO UPDATE SET value = ?3, expires_at = ?4 RETURNING 1`,
  setIfAbsent: `${insert} ON CONFLICT DO UPDATE SET value = ?3, expires_at = ?4 WHERE expires_at <= ?5 RETURNING 1`,
  compareAndSet: `UPDATE cache_entries SET value = ?3, expires_at = ?4
    WHERE ${here} AND expires_at > ?5 AND value = ?6 RETURNING 1`,
  /** ?3 what to add. */
  increment: `${insert.replace('?3', bytes('?3'))} ON CONFLICT DO UPDATE SET
    value = ${bytes(`CASE WHEN expires_at > ?5 THEN coalesce(${count} + ?3, ?3) ELSE ?3 END`)},
    expires_at = CASE WHEN expires_at > ?5 AND ${count} IS NOT NULL THEN expires_at ELSE ?4 END
    RETURNING value, expires_at`,
  /** ?3 how many there may be; the one that came last stays whatever its life. */
  trim: `DELETE FROM cache_entries WHERE id IN (
    SELECT id FROM cache_entries WHERE namespace = ?1 AND key <> ?2 ORDER BY expires_at
    LIMIT max(0, (SELECT entries FROM cache_namespaces WHERE namespace = ?1) - ?3))`,
  /** ?1 now, ?2 how many at most. */
  sweep: `DELETE FROM cache_entries WHERE id IN (
    SELECT id FROM cache_namespaces CROSS JOIN cache_entries USING (namespace) WHERE expires_at <= ?1 LIMIT ?2)`,
} as const;
