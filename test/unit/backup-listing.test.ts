import { describe, expect, it } from 'vitest';
import type { Backup } from '../../src/backup/list.ts';
import { listing } from '../../src/cli/backup.ts';

const now = Date.UTC(2026, 10, 23, 10, 43);
const hour = 3_600_000;
const backup = (detail: Partial<Backup>) =>
  ({ sizeBytes: 123_400_000, encrypted: true, ...detail }) as Backup;
const backups = [
  backup({
    name: 'appliance-20261122T104401Z.tar.zst.age',
    createdMs: now - 24 * hour + 60_000,
    verifiedMs: now - 23 * hour - 60_000,
  }),
  backup({ name: 'appliance-20261121T104300Z.tar.zst', createdMs: now - 48 * hour, copiedMs: now }),
];
const lines = (columns: number | undefined) =>
  listing(backups, now, { write: () => {}, ...(columns === undefined ? {} : { isTTY: true, columns }) });

describe('the list of backups', () => {
  it('has two lines for each on a terminal of 80 columns', () => {
    expect(lines(80)).toEqual([
      'appliance-20261122T104401Z.tar.zst.age  2026-11-22 10:44 UTC (23 h 59 min ago)',
      '  123 MB, proven 2026-11-22 11:42 UTC (23 h 1 min ago), only here',
      'appliance-20261121T104300Z.tar.zst  2026-11-21 10:43 UTC (2 days ago)',
      '  123 MB, not proven, copied',
    ]);
  });

  it('has one line for each in a pipe and on a wide terminal, below headings', () => {
    expect(lines(undefined).map((line) => line.split(/ {2,}/))).toEqual([
      ['ARCHIVE', 'MADE', 'SIZE', 'RESTORE', 'COPY'],
      expect.arrayContaining(['appliance-20261122T104401Z.tar.zst.age', 'only here']),
      expect.arrayContaining(['appliance-20261121T104300Z.tar.zst', 'not proven', 'copied']),
    ]);
    expect(lines(160)).toHaveLength(3);
  });

  it('stays within narrow ones', () => {
    expect(lines(50).filter((line) => line.length > 50)).toEqual([]);
  });
});
