import { describe, expect, it } from 'vitest';
import { authorityFolder, certificateFolder } from '../../src/adapters/certificate-store-names.ts';

describe("an authority's folder", () => {
  it.each([
    ['https://acme-v02.api.letsencrypt.org/directory', 'acme-v02.api.letsencrypt.org-directory'],
    [
      'https://acme-staging-v02.api.letsencrypt.org/directory',
      'acme-staging-v02.api.letsencrypt.org-directory',
    ],
    ['https://acme.zerossl.com/v2/DV90', 'acme.zerossl.com-v2-DV90'],
    ['https://127.0.0.1:14000/dir', '127.0.0.1-14000-dir'],
    ['import', 'import'],
  ])('of %s is %s', (authority, folder) => {
    expect(authorityFolder(authority)).toBe(folder);
  });

  it('is never shared by two, however alike they are', () => {
    const authorities = [
      'https://a.example/dir',
      'https://a.example/dir/',
      'https://a.example/DIR',
      'http://a.example/dir',
      'https://a.example-dir',
      'https://a.example:443/dir',
      'https://a.example/443/dir',
      'https://a.example-443/dir',
      'https://a.example/443-dir',
      'https://a.example/dir?x',
      'https://a.example/dir#x',
      'https://a.b-c/d',
      'https://a.b/c/d',
      'https://a.b/c-d',
      'https://[::1]:14000/dir',
      'https://[::1]/14000/dir',
      'https://stand/in',
      'https://import',
      'https://import/',
      'import',
    ];
    const folders = authorities.map(authorityFolder);
    expect(new Set(folders).size).toBe(authorities.length);
    expect(folders).not.toContain('stand-in');
  });
});

describe("a certificate's folder", () => {
  it.each([
    ['a.example', 'a.example'],
    ['*.a.example', 'wildcard_.a.example'],
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001_db8__1'],
    ['localhost', 'localhost'],
  ])('of %s is %s', (name, folder) => {
    expect(certificateFolder(name)).toBe(folder);
  });

  it('is never shared by two', () => {
    const names = [
      '*.a.example',
      'wildcard_.a.example',
      '::1',
      '__1',
      '--1',
      'A.example',
      'a.example',
      'a.example.',
    ];
    expect(new Set(names.map(certificateFolder)).size).toBe(names.length);
  });
});

const traversals = [
  '',
  '.',
  '..',
  '../../etc/passwd',
  '/etc/passwd',
  'a/../../b',
  '..\\b',
  'a\0b',
  '.lock',
  'account.json',
  'account.key',
  '~',
  '-rf',
  'ü.example',
  `${'a'.repeat(60)}.`.repeat(9),
  'x'.repeat(300),
];
it.each(traversals)('a folder for %j is one plain new name', (text) => {
  for (const folder of [certificateFolder(text), authorityFolder(text), authorityFolder(`https://${text}`)]) {
    expect(folder).toMatch(/^[A-Za-z0-9_~][A-Za-z0-9._~-]{0,199}$/);
    expect(folder).not.toMatch(/^(account\.json|account\.key|stand-in)$/);
  }
});
