import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { standIn } from '../../src/adapters/stand-in.ts';

const dayMs = 86_400_000;
const names = ['a.example', '*.b.example', '192.0.2.1', '2001:db8::1'];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stand-in-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the stand-in', () => {
  it('is a server certificate for the names, says what it is, and keeps its key to itself', async () => {
    const { facts, chainFile, keyFile, chain } = await standIn(folder, names);
    expect(facts).toMatchObject({ names, ariId: undefined });
    expect(facts.notAfter - Date.now()).toBeGreaterThan(364 * dayMs);
    expect(readFileSync(chainFile, 'utf8')).toBe(chain);
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'stand-in')).mode & 0o777).toBe(0o700);
    const said = execFileSync('openssl', ['x509', '-in', chainFile, '-noout', '-text'], { encoding: 'utf8' });
    expect(said).toMatch(/O ?= ?Self-signed until an authority has issued a certificate/);
    expect(said).toContain('ASN1 OID: prime256v1');
    expect(said).toContain('TLS Web Server Authentication');
    execFileSync('openssl', ['verify', '-CAfile', chainFile, '-verify_hostname', 'a.example', chainFile]);
    execFileSync('openssl', ['verify', '-CAfile', chainFile, '-verify_ip', '2001:db8::1', chainFile]);
  });

  it('stays the same while it serves, for fewer names too', async () => {
    const { facts } = await standIn(folder, names);
    expect((await standIn(folder, names)).facts).toEqual(facts);
    expect((await standIn(folder, ['a.example'], Date.now() + 300 * dayMs)).facts).toEqual(facts);
  });

  it('is for localhost where there is no name', async () => {
    expect((await standIn(folder, [])).facts.names).toEqual(['localhost']);
  });

  const renewed: [why: string, spoil: () => void, names: readonly string[], now: () => number][] = [
    ['lacks a name', () => undefined, [...names, 'c.example'], () => Date.now()],
    ['nears its end', () => undefined, names, () => Date.now() + 340 * dayMs],
    ['lies in the future', () => undefined, names, () => Date.now() - 10 * dayMs],
    [
      'is damaged',
      () => writeFileSync(join(folder, 'stand-in', 'certificate.pem'), 'junk'),
      names,
      () => Date.now(),
    ],
    ['lost its key', () => rmSync(join(folder, 'stand-in', 'key.pem')), names, () => Date.now()],
  ];
  it.each(renewed)('is made anew when it %s', async (_why, spoil, wanted, now) => {
    const { facts } = await standIn(folder, names);
    spoil();
    const next = await standIn(folder, wanted, now());
    expect(next.facts.serial).not.toBe(facts.serial);
    expect(next.facts.names).toEqual(wanted);
    expect(next.facts.notAfter).toBeGreaterThan(now() + 364 * dayMs);
  });
});
