import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAppliance, type Appliance } from '../support/appliance.ts';
import { freePort } from '../support/free-port.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';
import { until } from '../support/until.ts';

interface Finding {
  readonly id: string;
  readonly severity: string;
  readonly finding: string;
}

const name = 'whoami.test';
const gradingMs = 15 * 60_000;

/** What is the authority's and not ours; each is what Pebble's certificates are without. */
const ofTheAuthority = new Map([
  ['cert_chain_of_trust', 'no public root signed it'],
  ['cert_trust', 'the same, of the name'],
  ['cert_revocation', 'neither a revocation list nor OCSP is named in it'],
  ['cert_ocspURL', "no OCSP: Let's Encrypt has none either"],
  ['cert_crlDistributionPoints', 'no revocation list'],
  ['OCSP_stapling', 'nothing to staple without OCSP'],
  ['certificate_transparency', 'no public log knows it'],
  ['cert_expirationStatus', 'the life is as the authority sets it'],
  ['cert_validityPeriod', 'the same'],
  ['DNS_CAArecord', 'the name is not in the DNS'],
]);
const noWeakness = ['OK', 'INFO', 'LOW'];

/** Versions from 3.2 on have other names for some. */
const laterIds = new Map([
  ['PFS', 'FS'],
  ['cipherlist_AVERAGE', 'cipherlist_OBSOLETED'],
  ['cipherlist_STRONG', 'cipherlist_STRONG_FS'],
]);

let pebble: Pebble;
let appliance: Appliance;
let httpsPort: number;
let root: string;
let findings: readonly Finding[] = [];

beforeAll(async () => {
  pebble = await startPebble();
  httpsPort = await freePort();
  appliance = await startAppliance({
    port: pebble.httpPort,
    environment: {
      APP_HTTPS_PORT: String(httpsPort),
      APP_WORKERS: '1',
      CERT_DOMAIN: name,
      CERT_EMAIL: 'admin@example.com',
      CERT_DIRECTORY_URL: pebble.directoryUrl,
      CERT_CA_FILE: pebble.caFile,
    },
  });
  root = join(appliance.folder, 'root.pem');
  writeFileSync(root, await pebble.root());
  await until('its certificate serves', async () => (await sClient()).includes('Verify return code: 0'));
  findings = await grade();
}, gradingMs);
afterAll(async () => {
  await appliance?.stop();
  await pebble?.stop();
});

/** What `openssl s_client` prints. */
async function sClient(...options: readonly string[]): Promise<string> {
  const where = ['-connect', `127.0.0.1:${httpsPort}`, '-servername', name, '-verify_hostname', name];
  return (await run('openssl', ['s_client', ...where, '-CAfile', root, ...options])).output;
}

/** All of testssl.sh but its client simulations, with nobody asked but our own port. */
async function grade(): Promise<readonly Finding[]> {
  const file = join(appliance.folder, 'findings.json');
  const alone = ['--ip', '127.0.0.1', '-n', 'none', '--warnings', 'off', '--quiet', '--color', '0'];
  const sections = ['-p', '-s', '-f', '-P', '-S', '-h', '-U'];
  const { output } = await run('testssl', [
    ...alone,
    ...sections,
    '--jsonfile',
    file,
    `${name}:${httpsPort}`,
  ]);
  expect(output).toContain('Done');
  return JSON.parse(readFileSync(file, 'utf8')) as readonly Finding[];
}

async function run(file: string, args: readonly string[]): Promise<{ output: string }> {
  const child = spawn(file, args, {
    // a proxy or settings of whoever runs the tests stay out of it
    env: { PATH: process.env['PATH'], HOME: appliance.folder },
    cwd: appliance.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => (output += String(chunk)));
  child.stderr.on('data', (chunk) => (output += String(chunk)));
  await once(child, 'close');
  return { output };
}

describe('the grade of testssl.sh', () => {
  it('has no weakness that is medium or worse, but for what is the private authority', () => {
    const weak = findings.filter(({ severity }) => !noWeakness.includes(severity));
    // that it has no GOST engine is testssl.sh's own trouble; later versions grade whom no public root signed with T
    const ours = weak.filter(
      ({ id, finding }) =>
        !ofTheAuthority.has(id) && id !== 'engine_problem' && !(id === 'overall_grade' && finding === 'T'),
    );
    expect(ours).toEqual([]);
  });

  it.each([
    ['SSLv2', 'not offered'],
    ['SSLv3', 'not offered'],
    ['TLS1', 'not offered'],
    ['TLS1_1', 'not offered'],
    ['TLS1_2', 'offered'],
    ['TLS1_3', 'offered with final'],
    ['cipherlist_NULL', 'not offered'],
    ['cipherlist_aNULL', 'not offered'],
    ['cipherlist_EXPORT', 'not offered'],
    ['cipherlist_LOW', 'not offered'],
    ['cipherlist_3DES_IDEA', 'not offered'],
    // CBC, and all else without authenticated encryption
    ['cipherlist_AVERAGE', 'not offered'],
    ['cipherlist_STRONG', 'offered'],
    ['PFS', 'offered'],
    ['secure_renego', 'supported'],
    ['secure_client_renego', 'not vulnerable'],
    ['CRIME_TLS', 'not vulnerable'],
    ['heartbleed', 'not vulnerable'],
    ['CCS', 'not vulnerable'],
    ['ticketbleed', 'not vulnerable'],
    ['ROBOT', 'not vulnerable'],
    ['BREACH', 'not vulnerable'],
    ['fallback_SCSV', 'no protocol below TLS 1.2 offered'],
    ['SWEET32', 'not vulnerable'],
    ['FREAK', 'not vulnerable'],
    ['DROWN', 'not vulnerable'],
    ['LOGJAM', 'not vulnerable'],
    ['BEAST', 'not vulnerable'],
    ['LUCKY13', 'not vulnerable'],
    ['RC4', 'not vulnerable'],
  ])('says of %s: %s', (id, expected) => {
    const found = findings.find((each) => each.id === id || each.id === laterIds.get(id));
    expect(found?.finding).toMatch(new RegExp(`^${expected}`));
  });
});

describe('a client', () => {
  it('gets the whole chain, leaf first, and can verify it with the root alone', async () => {
    const output = await sClient('-showcerts');
    expect(output.match(/-----BEGIN CERTIFICATE-----/g)).toHaveLength(2);
    expect(output).toContain('Verify return code: 0 (ok)');
  });

  it('that speaks TLS 1.1 at most is refused with the alert for that', async () => {
    const output = await sClient('-tls1_1', '-cipher', 'ALL@SECLEVEL=0');
    expect(output).toContain('alert protocol version');
    expect(output).toContain('Cipher is (NONE)');
  });

  it('that wants CBC is refused', async () => {
    const output = await sClient('-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA');
    expect(output).toContain('alert handshake failure');
  });

  it.each(['-tls1_2', '-tls1_3'])('that speaks %s is served with forward secrecy', async (version) => {
    const output = await sClient(version);
    expect(output).toMatch(/(Server|Peer) Temp Key: X25519/);
    expect(output).toMatch(/Cipher is .*GCM/);
    expect(output).toContain('Compression: NONE');
  });
});
