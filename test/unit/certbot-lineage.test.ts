import { execFileSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readLineage } from '../../src/certificates/certbot-lineage.ts';
import { exitCodes } from '../../src/core/errors.ts';
import { type MadeCertificate, madeCertificate } from '../support/made-certificate.ts';

let made: MadeCertificate;
let folder: string;
beforeAll(async () => {
  made = await madeCertificate(['a.example']);
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lineage-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
}

describe('a certificate that was brought along', () => {
  it("is read out of certbot's folder of links", async () => {
    const live = join(folder, 'live', 'a.example');
    const archive = join(folder, 'archive', 'a.example');
    for (const path of [live, archive]) mkdirSync(path, { recursive: true });
    const { leaf, authority, chain, key } = made;
    for (const [name, text] of Object.entries({
      cert: leaf,
      chain: authority,
      fullchain: chain,
      privkey: key,
    })) {
      writeFileSync(join(archive, `${name}3.pem`), text);
      symlinkSync(`../../archive/a.example/${name}3.pem`, join(live, `${name}.pem`));
    }
    const lineage = await readLineage(live, Date.now());
    expect(lineage).toMatchObject({ pair: { chain, key }, facts: { names: ['a.example'] }, warnings: [] });
  });

  it.each([
    [
      'cert.pem and chain.pem',
      () => ({ 'cert.pem': made.leaf, 'chain.pem': made.authority, 'privkey.pem': made.key }),
    ],
    ['certificate.pem and key.pem', () => ({ 'certificate.pem': made.chain, 'key.pem': made.key })],
  ])('is read out of a folder with %s', async (_what, files) => {
    write(files());
    expect((await readLineage(folder, Date.now())).pair).toEqual({ chain: made.chain, key: made.key });
  });

  it('loses the text around its certificates, and its key becomes PKCS #8', async () => {
    const key = createPrivateKey(made.key).export({ type: 'sec1', format: 'pem' });
    write({
      'certificate.pem': `subject=x\n${made.leaf}\r\nissuer=y\n${made.authority}`,
      'key.pem': String(key),
    });
    expect((await readLineage(folder, Date.now())).pair).toEqual({ chain: made.chain, key: made.key });
  });

  it('may have expired, which is said', async () => {
    write({ 'certificate.pem': made.chain, 'key.pem': made.key });
    const { warnings } = await readLineage(folder, Date.now() + 200 * 86_400_000);
    expect(warnings).toEqual([expect.stringMatching(/^The certificate expired on 20\d\d-/) as string]);
  });

  const encrypted = (type: 'pkcs8' | 'sec1') =>
    createPrivateKey(made.key)
      .export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
      .toString();
  const refused: [
    what: string,
    files: () => Promise<Record<string, string>> | Record<string, string>,
    code: string,
    says: string,
  ][] = [
    ['nothing', () => ({}), 'import-incomplete', 'holds no certificate'],
    ['no key', () => ({ 'fullchain.pem': made.chain }), 'import-incomplete', 'privkey.pem is missing'],
    ['no chain', () => ({ 'privkey.pem': made.key }), 'import-incomplete', 'fullchain.pem is missing'],
    [
      'an empty key',
      () => ({ 'fullchain.pem': made.chain, 'privkey.pem': '' }),
      'import-incomplete',
      'privkey.pem is empty',
    ],
    [
      'junk for a key',
      () => ({ 'fullchain.pem': made.chain, 'privkey.pem': 'x' }),
      'certificate-unreadable',
      'private key',
    ],
    [
      'junk for a chain',
      () => ({ 'fullchain.pem': 'x', 'privkey.pem': made.key }),
      'certificate-unreadable',
      'no certificate in PEM',
    ],
    [
      'an encrypted key',
      () => ({ 'fullchain.pem': made.chain, 'privkey.pem': encrypted('pkcs8') }),
      'certificate-key-encrypted',
      'encrypted',
    ],
    [
      'a key encrypted the old way',
      () => ({ 'fullchain.pem': made.chain, 'privkey.pem': encrypted('sec1') }),
      'certificate-key-encrypted',
      'encrypted',
    ],
    [
      'the key of another certificate',
      async () => ({
        'fullchain.pem': made.chain,
        'privkey.pem': (await madeCertificate(['a.example'])).key,
      }),
      'certificate-mismatch',
      'no pair',
    ],
  ];
  it.each(refused)('is refused with %s, in plain words', async (_what, files, code, says) => {
    write(await files());
    await expect(readLineage(folder, Date.now())).rejects.toMatchObject({
      code,
      exitCode: exitCodes.usage,
      message: expect.stringContaining(says) as string,
      remedy: expect.any(String) as string,
    });
  });

  it.each(['nowhere', 'file', 'file/below'])('is refused where %s is no folder', async (name) => {
    write({ file: 'x' });
    const rejected = { code: 'import-not-found', exitCode: exitCodes.usage };
    await expect(readLineage(join(folder, name), Date.now())).rejects.toMatchObject(rejected);
  });

  it('does not wait for a pipe that bears the name of a key', async () => {
    write({ 'fullchain.pem': made.chain });
    execFileSync('mkfifo', [join(folder, 'privkey.pem')]);
    await expect(readLineage(folder, Date.now())).rejects.toMatchObject({ code: 'import-incomplete' });
  });
});
