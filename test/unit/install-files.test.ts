import { describe, expect, it } from 'vitest';
import { pack } from 'tar-stream';
import { gzipSync } from 'node:zlib';
import { looksLikeArchive } from '../../src/cli/install.ts';
import { unwritable } from '../../src/host/checks/writable.ts';

describe('an archive of images', () => {
  it('is a tar, packed or not, and nothing else', async () => {
    const made = pack();
    made.entry({ name: 'manifest.json' }, '[]');
    made.finalize();
    const parts: Buffer[] = [];
    for await (const part of made as AsyncIterable<Buffer>) parts.push(part);
    const tar = Buffer.concat(parts);
    expect(looksLikeArchive(tar)).toBe(true);
    expect(looksLikeArchive(gzipSync(tar))).toBe(true);
    for (const text of ['', 'x', '<html>', 'PK\u0003\u0004', '\u007fELF'.padEnd(600, 'x')])
      expect(looksLikeArchive(Buffer.from(text))).toBe(false);
  });
});

describe('the folders that an install writes to', () => {
  const there = new Set(['/', '/etc', '/usr', '/usr/local', '/var/lib']);
  const find = (readOnly: string) =>
    unwritable(
      ['/etc', '/etc/appliance/secrets', '/usr/local/bin', '/usr/local/lib/appliance', '/var/lib/appliance'],
      (path) => there.has(path),
      (path) => {
        if (path.startsWith(readOnly)) throw Object.assign(new Error('x'), { code: 'EROFS', errno: -30 });
      },
    );

  it('are named once each where they cannot be written, by what of them is there', () => {
    expect(find('/usr/local')).toEqual([{ path: '/usr/local', code: 'EROFS' }]);
    expect(find('/etc')).toEqual([{ path: '/etc', code: 'EROFS' }]);
    expect(find('/nowhere')).toEqual([]);
  });
});
