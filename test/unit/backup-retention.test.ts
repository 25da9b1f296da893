import { describe, expect, it } from 'vitest';
import { archiveName, isAhead, newestFirst, parseArchiveName } from '../../src/backup/archive-name.ts';
import { surplus } from '../../src/backup/retention.ts';

const made = (
  day: number,
  more: { encrypted?: boolean; beforeRestore?: boolean; verifiedMs?: number; copiedMs?: number } = {},
) => {
  const archive = { createdMs: Date.UTC(2026, 0, day), encrypted: false, beforeRestore: false, ...more };
  return { ...archive, name: archiveName(archive) };
};
const now = Date.UTC(2026, 0, 20);
const daysOf = (archives: readonly { createdMs: number }[]) =>
  archives.map(({ createdMs }) => new Date(createdMs).getUTCDate());

describe('of archives that are too many', () => {
  it('the oldest go', () => {
    const all = [3, 1, 5, 2, 4].map((day) => made(day));
    expect(daysOf(surplus(all, 2, now))).toEqual([3, 2, 1]);
    expect(surplus(all, 5, now)).toEqual([]);
  });

  it('copies from before a restore are counted on their own', () => {
    const safety = [6, 7, 8].map((day) => made(day, { beforeRestore: true }));
    const all = [...[1, 2].map((day) => made(day)), ...safety];
    expect(daysOf(surplus(all, 2, now))).toEqual([6]);
  });

  it('encrypted ones are counted apart from those that hold no keys', () => {
    const whole = [1, 2, 3].map((day) => made(day, { encrypted: true }));
    const plain = [4, 5, 6, 7].map((day) => made(day));
    expect(daysOf(surplus([...whole, ...plain], 2, now))).toEqual([5, 4, 1]);
    const copies = [false, true].map((encrypted) => made(8, { encrypted, beforeRestore: true }));
    expect(surplus(copies, 1, now)).toEqual([]);
  });

  it('the newest that was proven stays, however old', () => {
    const all = [
      made(1, { verifiedMs: 9 }),
      made(2, { verifiedMs: 1 }),
      ...[3, 4, 5].map((day) => made(day)),
    ];
    expect(daysOf(surplus(all, 2, now))).toEqual([3, 1]);
    expect(daysOf(surplus([...all, made(6, { verifiedMs: 1 })], 2, now))).toEqual([4, 3, 2, 1]);
  });
});

describe('an archive that a wrong clock dated ahead', () => {
  const today = [18, 19, 20].map((day) => made(day));

  it('counts as the oldest', () => {
    expect(daysOf(newestFirst([made(31), ...today], now))).toEqual([20, 19, 18, 31]);
  });

  it('drives nothing out, and is not driven out: it may be the clock that is wrong now', () => {
    expect(daysOf(surplus([made(31), ...today], 2, now))).toEqual([18]);
    expect(daysOf(surplus([...[28, 29, 30, 31].map((day) => made(day)), ...today], 3, now))).toEqual([28]);
  });

  it('is none where it is ahead by less than the clock may be set back', () => {
    expect(isAhead(now + 3_600_000, now)).toBe(false);
    expect(isAhead(now + 3_601_000, now)).toBe(true);
  });
});

describe('while copies fail', () => {
  it('the newest that is elsewhere stays, however many came after it', () => {
    const all = [made(1, { copiedMs: 9 }), made(2, { copiedMs: 1 }), ...[3, 4, 5].map((day) => made(day))];
    expect(daysOf(surplus(all, 2, now))).toEqual([3, 1]);
    expect(daysOf(surplus([...all, made(6, { copiedMs: 1 })], 2, now))).toEqual([4, 3, 2, 1]);
  });
});

describe('the name of an archive', () => {
  it.each([
    [{ encrypted: false, beforeRestore: false }, 'appliance-20261122T213600Z.tar.zst'],
    [{ encrypted: true, beforeRestore: true }, 'appliance-20261122T213600Z-before-restore.tar.zst.age'],
  ])('tells when it was made, and how: %j', (how, name) => {
    const archive = { createdMs: Date.UTC(2026, 10, 22, 21, 36), ...how };
    expect(archiveName(archive)).toBe(name);
    expect(parseArchiveName(name)).toEqual({ name, ...archive });
  });

  it.each([
    'appliance-20261122T213600Z.tar.zst.unfinished',
    'appliance-20260231T000000Z.tar.zst',
    'appliance-20261122T213600Z.tar.gz',
    'my-appliance-20261122T213600Z.tar.zst',
    'record.json',
  ])('is not %s', (name) => expect(parseArchiveName(name)).toBeUndefined());
});
