import { type ArchiveName, isAhead, newestFirst } from './archive-name.ts';
import type { ArchiveFacts } from './record.ts';

/**
 * Which of the archives may go so that the `keep` newest stay. Those that are not encrypted are counted on their own, since they are
 * not the whole host and must not push out what is; so are copies from before a restore, and what is dated ahead of the clock, for
 * either that date or the clock is wrong. Whatever
 * else goes, the newest of those that were proven to restore stays: what nobody has tried may turn out to be none. So does
 * the newest that was copied off this host: while copies fail, those that are nowhere else must not push it out.
 */
export function surplus<Archive extends ArchiveName & ArchiveFacts>(
  archives: readonly Archive[],
  keep: number,
  now: number,
): readonly Archive[] {
  const ordered = newestFirst(archives, now);
  const proven = ordered.find(({ verifiedMs }) => verifiedMs !== undefined);
  const copied = ordered.find(({ copiedMs }) => copiedMs !== undefined);
  const kinds = Map.groupBy(
    ordered,
    ({ beforeRestore, encrypted, createdMs }) => `${beforeRestore} ${encrypted} ${isAhead(createdMs, now)}`,
  );
  return [...kinds.values()]
    .flatMap((some) => some.slice(keep))
    .filter((archive) => archive !== proven && archive !== copied);
}
