import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSigningKey } from '../../build/signature.ts';
import { isUndamaged, originOf } from '../../src/host/upgrade/signature.ts';

let folder: string;
let named: string;
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const key = publicKey.export({ type: 'spki', format: 'pem' }) as string;
const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'signature-'));
  named = join(folder, 'appliance');
  writeFileSync(named, 'a release');
  writeFileSync(`${named}.sig`, sign(null, Buffer.from('a release'), privateKey).toString('base64'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const origin = (options: { key?: string | undefined; allowUnsigned?: boolean } = {}) =>
  originOf({ file: named, named, key, allowUnsigned: false, ...options });

describe('a release', () => {
  it('that is signed by the key that is built in is taken', async () => {
    expect(await origin()).toBe('signed');
  });

  it('that nobody signed is refused by name', async () => {
    rmSync(`${named}.sig`);
    await expect(origin()).rejects.toMatchObject({ code: 'upgrade-unsigned', message: /is not signed/ });
  });

  it.each([
    ['whose bytes were changed', () => writeFileSync(named, 'a release!')],
    ['with the signature of another', () => writeFileSync(`${named}.sig`, `${'A'.repeat(86)}==`)],
    ['with a signature that is none', () => writeFileSync(`${named}.sig`, 'what?')],
    ['with an empty signature', () => writeFileSync(`${named}.sig`, '')],
  ])('%s is refused', async (_, spoil) => {
    spoil();
    await expect(origin()).rejects.toMatchObject({ code: 'upgrade-signature', exitCode: 3 });
  });

  it('is refused where no key is built in, which is said', async () => {
    await expect(origin({ key: undefined })).rejects.toMatchObject({
      code: 'upgrade-unsigned',
      message: /has no key built in/,
    });
  });

  it('without a signature is taken by who allows it', async () => {
    expect(await origin({ allowUnsigned: true })).toBe('signed');
    expect(await origin({ allowUnsigned: true, key: undefined })).toBe('nobody');
    rmSync(`${named}.sig`);
    expect(await origin({ allowUnsigned: true })).toBe('nobody');
  });

  it('is held against the sums beside it, for damage alone', async () => {
    expect(await isUndamaged(named, named)).toBe(false);
    const sums = execFileSync('sha256sum', ['appliance'], { cwd: folder, encoding: 'utf8' });
    writeFileSync(join(folder, 'SHA256SUMS'), sums);
    expect(await isUndamaged(named, named)).toBe(true);
    writeFileSync(named, 'a releasf');
    await expect(isUndamaged(named, named)).rejects.toMatchObject({ code: 'upgrade-damaged' });
  });
});

describe('the key of a build', () => {
  it('signs what the public half in the binary judges, the same each time', async () => {
    const file = join(folder, 'release.key');
    writeFileSync(file, privatePem);
    const signing = readSigningKey(file);
    writeFileSync(`${named}.sig`, signing.sign(named));
    expect(signing.publicPem).toBe(key);
    expect(await origin()).toBe('signed');
    expect(signing.sign(named)).toBe(readFileSync(`${named}.sig`, 'utf8'));
  });

  it('is refused where it is of another kind, or none', () => {
    const file = join(folder, 'release.key');
    const { privateKey: other } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(file, other.export({ type: 'pkcs8', format: 'pem' }));
    expect(() => readSigningKey(file)).toThrow(/it is a key for ec/);
    writeFileSync(file, key);
    expect(() => readSigningKey(file)).toThrow(/holds no Ed25519 private key/);
  });
});
