import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAuthorityProxy, type AuthorityProxy } from '../support/authority-proxy.ts';
import { prepareAppliance, startCertified, type CertifiedAppliance } from '../support/certified-appliance.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';
import { until } from '../support/until.ts';

let pebble: Pebble;
let proxy: AuthorityProxy;
beforeAll(async () => {
  pebble = await startPebble();
});
afterAll(() => pebble?.stop());

const behindProxy = () => ({ ...pebble, directoryUrl: proxy.directoryUrl, caFile: proxy.caFile });

/** What certificates and keys there are, as bytes. */
function kept({ dataDir }: CertifiedAppliance): Record<string, string> {
  const files = globSync('certificates/**/*.pem', { cwd: dataDir }).sort();
  return Object.fromEntries(files.map((file) => [file, readFileSync(join(dataDir, file), 'utf8')]));
}

const ecKey = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

/** A certificate for `name` as certbot leaves it: links in `live` to the second of two in `archive`, its chain longer than need be. */
function certbotFolder(folder: string, name: string, keyWords = ecKey): string {
  const archive = join(folder, 'letsencrypt', 'archive', name);
  const live = join(folder, 'letsencrypt', 'live', name);
  mkdirSync(archive, { recursive: true });
  mkdirSync(live, { recursive: true });
  const openssl = (...words: string[]) => execFileSync('openssl', words, { cwd: archive, stdio: 'pipe' });
  const key = ['-newkey', ...keyWords, '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'chain2.pem',
    '-days',
    '30',
    '-subj',
    '/CN=Another authority',
  );
  openssl('req', ...key, '-keyout', 'privkey2.pem', '-out', 'request.pem', '-subj', '/');
  writeFileSync(join(archive, 'names'), `subjectAltName = critical, DNS:${name}\n`);
  const sign = ['-CA', 'chain2.pem', '-CAkey', 'ca.key', '-days', '20', '-extfile', 'names'];
  openssl('x509', '-req', '-in', 'request.pem', ...sign, '-out', 'cert2.pem');
  const text = (file: string) => readFileSync(join(archive, file), 'utf8');
  const twice = text('cert2.pem') + text('chain2.pem').repeat(2);
  writeFileSync(join(archive, 'fullchain2.pem'), twice);
  for (const part of ['cert', 'chain', 'fullchain', 'privkey']) {
    symlinkSync(`../../archive/${name}/${part}2.pem`, join(live, `${part}.pem`));
  }
  return live;
}

describe('renew-certs with a running service', () => {
  let appliance: CertifiedAppliance;
  beforeAll(async () => {
    proxy = await startAuthorityProxy(pebble);
    appliance = await startCertified({ pebble: behindProxy(), settings: { CERT_DOMAIN: 'a.test;c.test' } });
    await appliance.issued({ name: 'a.test' });
    await appliance.issued({ name: 'c.test' });
  });
  afterAll(async () => {
    await appliance?.stop();
    await proxy?.stop();
  });
  const serials = () => Promise.all(['a.test', 'c.test'].map((name) => appliance.serials(name)));

  it('asks for nothing that is not due, and says when it will be', async () => {
    const before = await serials();
    const { exitCode, stdout, stderr } = await appliance.command('renew-certs');
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/^a\.test: not due, valid until .*\n {2}not due before .*\nc\.test: not due/);
    expect(await serials()).toEqual(before);
    expect(proxy.orders()).toBe(2);
  });

  it('--force gets a new one for each, which every worker serves when the command ends', async () => {
    const before = await serials();
    const { exitCode, stdout, stderr } = await appliance.command('renew-certs', '--force');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^a\.test: renewed, valid until [^]*^c\.test: renewed/m);
    expect(stderr).toMatch(/^a\.test: placing an order for a\.test$/m);
    const after = await serials();
    for (const [index, found] of after.entries()) {
      expect(found).toHaveLength(1);
      expect(found).not.toEqual(before[index]);
    }
  });

  it('--domain leaves the others alone', async () => {
    const [a, c] = await serials();
    const { exitCode, stdout } = await appliance.command('renew-certs', '--force', '--domain', 'C.test');
    expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/^c\.test: renewed/)]);
    const [aAfter, cAfter] = await serials();
    expect(aAfter).toEqual(a);
    expect(cAfter).not.toEqual(c);
  });

  it('--domain with a name that nobody configured is wrong usage', async () => {
    const { exitCode, stderr } = await appliance.command('renew-certs', '--domain', 'x.test');
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(
      /^error: No certificate for x\.test is configured\.\nto do: CERT_DOMAIN has: a\.test, c\.test\.\n$/,
    );
  });

  it('--dry-run walks the whole way and keeps nothing', async () => {
    const before = { serials: await serials(), kept: kept(appliance), orders: proxy.orders() };
    const { exitCode, stdout } = await appliance.command('renew-certs', '--dry-run');
    expect([exitCode, stdout]).toEqual([
      0,
      expect.stringMatching(/^a\.test: the dry run went well; nothing was kept\n[^]*^c\.test: the dry run/m),
    ]);
    expect(proxy.orders()).toBe(before.orders + 2);
    expect(proxy.requests.at(-1)?.resource).toBe('certificate');
    expect(kept(appliance)).toEqual(before.kept);
    expect(await serials()).toEqual(before.serials);
  });

  it("--import takes over certbot's, serves it at once, and goes back to the authority's own when told", async () => {
    const [, c] = await serials();
    const live = certbotFolder(appliance.folder, 'a.test');
    const { exitCode, stdout } = await appliance.command('renew-certs', '--import', live);
    expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/^a\.test: imported, valid until /)]);
    const x509 = ['x509', '-noout', '-serial', '-in', join(live, 'cert.pem')];
    const serial = execFileSync('openssl', x509, { encoding: 'utf8' }).trim().replace('serial=', '');
    expect(await serials()).toEqual([[serial], c]);
    const chain = Object.entries(kept(appliance)).find(([file]) =>
      /\bimport\b.*certificate\.pem/.test(file),
    )![1];
    expect(chain.split('BEGIN CERTIFICATE')).toHaveLength(3);
    const [imported] = (await appliance.status()).certificates;
    expect(imported).toMatchObject({ state: 'fallback', servedAuthority: 'import', serial });
    const text = (await appliance.command('status')).stdout;
    expect(text).toMatch(/^Certificate a\.test\n {2}state +valid until .*, imported$/m);

    expect(await appliance.command('renew-certs', '--force', '--domain', 'a.test')).toMatchObject({
      exitCode: 0,
    });
    const [own] = (await appliance.status()).certificates;
    expect(own).toMatchObject({ state: 'valid', servedAuthority: proxy.directoryUrl });
    expect(await serials()).toEqual([[own?.serial], c]);
  });

  it('--import of a certificate that cannot be served fails, and the other names are served after a restart too', async () => {
    const before = await serials();
    const live = certbotFolder(join(appliance.folder, 'short'), 'a.test', ['rsa:512']);
    const { exitCode, stderr } = await appliance.command('renew-certs', '--import', live);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('the certificate for a.test cannot be');
    expect(stderr).toContain('appliance renew-certs --force --domain a.test');
    expect(await serials()).toEqual(before);

    for (const pid of appliance.service.workers()) process.kill(pid, 'SIGKILL');
    await until('the other name is served', async () => {
      const served = await appliance.serials('c.test').catch(() => undefined);
      return String(served) === String(before[1]);
    });
    const mended = await appliance.command('renew-certs', '--force', '--domain', 'a.test');
    expect(mended.exitCode, mended.stderr).toBe(0);
    const [own] = (await appliance.status()).certificates;
    expect(await serials()).toEqual([[own?.serial], before[1]]);
  });

  it('--import of a certificate for other names changes nothing', async () => {
    const before = await serials();
    const live = certbotFolder(appliance.folder, 'x.test');
    const { exitCode, stderr } = await appliance.command('renew-certs', '--import', live);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(
      /^error: The certificate is for x\.test; [ac]\.test of CERT_DOMAIN is missing\.\nto do: /,
    );
    expect(await serials()).toEqual(before);
  });

  it('ends with 4 while the authority is down, and what was there serves on', async () => {
    const before = await serials();
    for (const resource of ['directory', 'nonce', 'newOrder'] as const) proxy.fault(resource, 'cut');
    try {
      const { exitCode, stdout, stderr } = await appliance.command('renew-certs', '--force');
      expect([exitCode, stdout]).toEqual([4, '']);
      for (const name of ['a.test', 'c.test']) {
        expect(stderr).toMatch(new RegExp(`^error: ${name}: .*127\\.0\\.0\\.1`, 'm'));
      }
      expect(stderr.match(/^to do: /gm)).toHaveLength(2);
      expect(stderr.match(/^meanwhile: the certificate from before still serves, until /gm)).toHaveLength(2);
      expect(await serials()).toEqual(before);
      const shown = await appliance.command('status');
      expect(shown.exitCode).toBe(0);
      expect(shown.stdout).toMatch(
        /^Certificate a\.test\n {2}state +valid until [^]*^ {2}next try +20\d\d-[^]*^ {2}last error +20\d\d-.*\n +\S[^]*^ {2}to do +\S/m,
      );
    } finally {
      proxy.heal();
    }
    const [certificate] = (await appliance.status()).certificates;
    expect(certificate).toMatchObject({ state: 'valid', serial: before[0]?.[0], lastError: { failures: 1 } });
    expect(certificate?.lastError?.remedy).toEqual(expect.any(String));
    expect(Date.parse(certificate?.nextAttemptAt ?? '')).toBeGreaterThan(Date.now());
    expect(await appliance.command('renew-certs', '--force')).toMatchObject({ exitCode: 0 });
    const healed = await appliance.status();
    expect(healed.certificates[0]).not.toHaveProperty('lastError');
  });

  it('ends with 2 where the service has no CERT_DOMAIN', async () => {
    appliance.configure({ CERT_DOMAIN: undefined });
    await appliance.reload();
    await until('it has none', async () => (await appliance.status()).certificates.length === 0);
    const { exitCode, stderr } = await appliance.command('renew-certs');
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(
      /^error: there is no certificate to renew: CERT_DOMAIN is not set\nto do: set CERT_DOMAIN/,
    );
  });
});

describe('renew-certs where no service runs', () => {
  let appliance: CertifiedAppliance;
  beforeAll(async () => {
    proxy = await startAuthorityProxy(pebble);
    appliance = await prepareAppliance({ pebble: behindProxy(), settings: { CERT_DOMAIN: undefined } });
  });
  afterAll(async () => {
    await appliance?.stop();
    await proxy?.stop();
  });

  it('ends with 2 without CERT_DOMAIN, and asks nobody', async () => {
    const { exitCode, stderr } = await appliance.command('renew-certs');
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^error: .*CERT_DOMAIN is not set\nto do: set CERT_DOMAIN and CERT_EMAIL in /m);
    expect(proxy.requests).toEqual([]);
  });

  it('ends with 4 while the authority is down, and with nothing kept', async () => {
    appliance.configure({ CERT_DOMAIN: 'a.test,b.test' });
    proxy.fault('directory', 'cut');
    const { exitCode, stderr } = await appliance.command('renew-certs');
    proxy.heal();
    expect(exitCode).toBe(4);
    expect(stderr).toMatch(/^meanwhile: there is no certificate yet$/m);
    expect(Object.keys(kept(appliance)).filter((file) => !file.includes('stand-in'))).toEqual([]);
  });

  it('does the work alone, and a second run meanwhile ends with 5 and says who is at it', async () => {
    const gate = Promise.withResolvers<void>();
    proxy.onRequest = ({ resource }, phase) =>
      resource === 'finalize' && phase === 'before' ? gate.promise : undefined;
    const first = appliance.command('renew-certs');
    await until('it is at work', () => proxy.requests.some(({ resource }) => resource === 'finalize'));
    const second = await appliance.command('renew-certs');
    expect(second.exitCode).toBe(5);
    expect(second.stderr).toMatch(/^error: .*appliance renew-certs/m);
    gate.resolve();
    const { exitCode, stdout, stderr } = await first;
    expect([exitCode, stdout]).toEqual([
      0,
      expect.stringMatching(/^a\.test, b\.test: renewed, valid until /),
    ]);
    expect(stderr).toMatch(/^no service is running, so this program does the work$/m);
    expect(proxy.orders()).toBe(1);
  });

  it('status ends with 6', async () => {
    const { exitCode, stdout, stderr } = await appliance.command('status');
    expect([exitCode, stdout]).toEqual([6, '']);
    expect(stderr).toMatch(/^error: the service is not running: .*\nto do: /);
    const json = await appliance.command('status', '--json');
    expect(json.exitCode).toBe(6);
    expect(JSON.parse(json.stdout)).toMatchObject({ schema: 1, running: false });
  });

  it('the service that starts then serves what is there, and asks for nothing', async () => {
    await appliance.start();
    await appliance.issued();
    const [certificate] = (await appliance.status()).certificates;
    expect(await appliance.serials('b.test')).toEqual([certificate?.serial]);
    expect(certificate).toMatchObject({ state: 'valid', names: ['a.test', 'b.test'] });
    expect(proxy.orders()).toBe(1);
    expect(appliance.service.log()).not.toContain('certificate issued');
  });
});
