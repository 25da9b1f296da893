import type { Clock } from '../core/clock.ts';
import { printable } from '../core/printable.ts';
import type { Database, Queries } from '../ports/database.ts';
import type { JsonValue } from '../ports/database-tables.ts';

/** Who does something. Names are kept as text: an entry outlives the person. */
export interface Actor {
  readonly name: string;
  /** Where from, as its canonical text. */
  readonly address?: string;
}

export interface AuditEntry {
  readonly actor: Actor;
  /** `user.add`, `user.remove`, … */
  readonly action: string;
  /** Whom or what it was done to. */
  readonly subject?: string;
  /** Never a secret. */
  readonly details?: { readonly [key: string]: JsonValue };
}

export interface AuditRecord extends AuditEntry {
  readonly id: number;
  readonly atMs: number;
}

/** Who did what. All reject as the database does. */
export interface AuditLog {
  append(entry: AuditEntry): Promise<void>;
  /** The newest first: `limit` of them, from before the entry `beforeId` on. */
  read(page: { readonly limit: number; readonly beforeId?: number }): Promise<readonly AuditRecord[]>;
  /** Removes what is older than `beforeMs`, and the oldest where more than `keep` are left. Gives how many. */
  prune(bounds: { readonly beforeMs: number; readonly keep: number }): Promise<number>;
}

const maxCharacters = 200;

export function createAuditLog(database: Database, clock: Pick<Clock, 'now'>): AuditLog {
  return {
    append: (entry) => appendAudit(database.queries, clock.now(), entry),
    async read({ limit, beforeId }) {
      let query = database.queries.selectFrom('audit_log').selectAll().orderBy('id', 'desc').limit(limit);
      if (beforeId !== undefined) query = query.where('id', '<', beforeId);
      return (await query.execute()).map(({ id, at_ms, actor, action, subject, address, details }) => ({
        id,
        atMs: at_ms,
        actor: { name: actor, ...(address !== null && { address }) },
        action,
        ...(subject !== null && { subject }),
        details: details as NonNullable<AuditEntry['details']>,
      }));
    },
    prune: ({ beforeMs, keep }) =>
      database.transaction(async (queries) => {
        const old = await queries.deleteFrom('audit_log').where('at_ms', '<', beforeMs).executeTakeFirst();
        const last = await queries
          .selectFrom('audit_log')
          .select('id')
          .orderBy('id', 'desc')
          .offset(keep)
          .limit(1)
          .executeTakeFirst();
        if (last === undefined) return Number(old.numDeletedRows);
        const more = await queries.deleteFrom('audit_log').where('id', '<=', last.id).executeTakeFirst();
        return Number(old.numDeletedRows + more.numDeletedRows);
      }),
  };
}

/** In the transaction of what was done: neither is there without the other. */
export async function appendAudit(queries: Queries, atMs: number, entry: AuditEntry): Promise<void> {
  const { actor, action, subject, details = {} } = entry;
  await queries
    .insertInto('audit_log')
    .values({
      at_ms: atMs,
      actor: oneLine(actor.name),
      action,
      subject: subject === undefined ? null : oneLine(subject),
      address: actor.address ?? null,
      details: JSON.stringify(details),
    })
    .execute();
}

function oneLine(text: string): string {
  return Array.from(printable(text.toWellFormed())).slice(0, maxCharacters).join('');
}
