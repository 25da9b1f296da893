import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';

import { X509CertificateGenerator } from '@peculiar/x509';
import { describe, expect, it } from 'vitest';

import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { stagingUrlOf } from '../../src/config/staging.ts';
import { makeFolder } from '../support/secrets-folder.ts';

function load(environment: Record<string, string>, installedFolder = '/nonexistent/secrets') {
  const loaded = loadConfig({ flags: {}, environment, workingFolder: '/srv', installedFolder });
  const text = (problem: Parameters<typeof formatProblem>[0]) =>
    formatProblem(problem).replace(/^environment: /, '');
  return {
    config: loaded.config,
    values: loaded.values,
    problems: loaded.problems.map(text),
    warnings: loaded.warnings.map(text),
  };
}

/** A file of PEM certificates that a private authority could have. */
const anchor = (text = rootCertificates[0] ?? ''): string => join(makeFolder({ 'ca.pem': text }), 'ca.pem');

describe('names of certificates', () => {
  it('share one between commas, and a semicolon starts another', () => {
    const { config, problems } = load({ CERT_DOMAIN: 'a.example,www.a.example; b.example' });
    expect(problems).toEqual([]);
    expect(config?.certificates).toEqual([['a.example', 'www.a.example'], ['b.example']]);
  });

  it.each([
    ['international letters', 'bücher.example', 'write xn--bcher-kva.example'],
    ['international letters', '*.bücher.example', 'write *.xn--bcher-kva.example'],
    ['letters that no name has', 'a\u0378.example', 'characters that no name has'],
    ['a dot at the end', 'a.example.', 'without the dot at its end: a.example'],
    ['a port', 'a.example:443', 'without brackets and port: a.example'],
    ['brackets', '[2001:db8::1]', 'without brackets and port: 2001:db8::1'],
    ['brackets and a port', '[2001:db8::1]:443', 'without brackets and port: 2001:db8::1'],
    ['an address and a port', '8.8.8.8:80', 'without brackets and port: 8.8.8.8'],
    ['a URL', 'https://a.example/', 'the name alone'],
    ['a space for a comma', 'a.example b.example', 'a comma between them'],
    ['nothing', 'a.example,', 'nothing between'],
    ['a star inside', 'a.*.example', '*.example.com'],
    ['a star in a part', 'a*.example.com', '*.example.com'],
    ['two stars', '*.*.example.com', '*.example.com'],
    ['a star over a whole top level', '*.com', 'at least two parts'],
    ['a star before an address', '*.192.0.2.1', 'an address has no wildcard'],
    ['an IPv4 address in IPv6 dress', '::ffff:8.8.8.8', 'write it as IPv4: 8.8.8.8'],
    ['a mistyped address', '8.8.8', 'mistyped address'],
    ['a part that is too long', `${'a'.repeat(64)}.example`, 'has 64 characters, and 63 is the most'],
    ['a name that is too long', `${'a.'.repeat(124)}example`, 'has 255 characters, and 253 is the most'],
    ['a name that comes twice', 'a.example,A.example', 'stands here twice'],
    ['an address that comes twice', '2620:fe::fe,2620:FE:0::fe', 'stands here twice'],
    ['a name in two certificates', 'a.example;b.example,a.example', 'for two certificates'],
  ])('with %s (%s) are refused once, with the way out', (_, names, wayOut) => {
    const { config, problems } = load({ CERT_DOMAIN: names });
    expect(config).toBeUndefined();
    expect(problems).toEqual([expect.stringContaining(wayOut)]);
    expect(problems[0]).toMatch(/^CERT_DOMAIN: is not right \(.+\), found ".+; allowed: /);
  });

  it('are refused all in one go, each named', () => {
    const { problems } = load({ CERT_DOMAIN: 'bücher.example,a.example.;b.example:1' });
    expect(problems.map((text) => /found "([^"]+)"/.exec(text)?.[1])).toEqual([
      'bücher.example',
      'a.example.',
      'b.example:1',
    ]);
  });

  it('are at most a hundred in one certificate, and more in several', () => {
    const names = Array.from({ length: 101 }, (_, index) => `n${index}.example`);
    expect(load({ CERT_DOMAIN: names.join(',') }).problems).toEqual([
      expect.stringContaining(
        '101 names for the certificate of n0.example, and 100 is the most: begin another with a semicolon',
      ),
    ]);
    const split = `${names.slice(0, 100).join(',')};${names[100]}`;
    expect(load({ CERT_DOMAIN: split }).config?.certificates?.map(({ length }) => length)).toEqual([100, 1]);
  });

  it('may hold 63 characters in a part and 253 in all', () => {
    const label = 'a'.repeat(63);
    const name = `${label}.${label}.${label}.${'a'.repeat(53)}.example`;
    expect(name).toHaveLength(253);
    expect(load({ CERT_DOMAIN: name }).problems).toEqual([]);
  });

  it('with a wildcard need a program for DNS', () => {
    expect(load({ CERT_DOMAIN: '*.a.example,b.example;*.c.example' }).problems).toEqual([
      expect.stringMatching(/^CERT_DOMAIN: names \*\.a\.example, which needs CERT_DNS_HOOK/),
      expect.stringMatching(/^CERT_DOMAIN: names \*\.c\.example, which needs CERT_DNS_HOOK/),
    ]);
    expect(load({ CERT_DOMAIN: '*.a.example', CERT_DNS_HOOK: '/bin/true' }).problems).toEqual([]);
  });

  it('are not covered by a wildcard beside them, which public authorities refuse', () => {
    const environment = { CERT_DOMAIN: '*.a.example,a.example,www.a.example', CERT_DNS_HOOK: '/bin/true' };
    expect(load(environment).problems).toEqual([
      'CERT_DOMAIN: names www.a.example beside *.a.example, which covers it: leave one of them out',
    ]);
    expect(load({ ...environment, CERT_CA_FILE: anchor() }).problems).toEqual([]);
  });
});

describe('addresses', () => {
  it('share one certificate, because clients that come by address cannot be told apart', () => {
    expect(load({ CERT_DOMAIN: '9.9.9.9,a.example; 1.1.1.1' }).problems).toEqual([
      expect.stringMatching(/^CERT_DOMAIN: names 1\.1\.1\.1 in another certificate than 9\.9\.9\.9/),
    ]);
    expect(load({ CERT_DOMAIN: '9.9.9.9,1.1.1.1; a.example' }).problems).toEqual([]);
  });
});

describe('names that are not public', () => {
  const privateNames = [
    ['printer', 'one part'],
    ['printer.local', '.local'],
    ['a.localhost', '.localhost'],
    ['a.b.internal', '.internal'],
    ['nas.home.arpa', '.home.arpa'],
    ['hidden.onion', '.onion'],
    ['10.1.2.3', 'private'],
    ['127.0.0.1', 'loopback'],
    ['169.254.1.1', 'link local'],
    ['100.64.0.1', 'cgnat'],
    ['192.0.2.1', 'documentation'],
    ['fd00::1', 'private'],
    ['fe80::1', 'link local'],
    ['::1', 'loopback'],
  ] as const;

  it.each(privateNames)('%s is refused where the authority is public', (name, why) => {
    const { problems } = load({ CERT_DOMAIN: `${name},ok.example` });
    expect(problems).toEqual([expect.stringMatching(/^CERT_DOMAIN: names .+ CERT_CA_FILE to the trust/)]);
    expect(problems[0]).toContain(`names ${name}, `);
    expect(problems[0]).toContain(why);
  });

  it('are taken where the trust anchor of a private authority is given', () => {
    const names = privateNames.map(([name]) => name).join(',');
    expect(load({ CERT_DOMAIN: names, CERT_CA_FILE: anchor() }).problems).toEqual([]);
  });

  it('may be had from another authority, which the host itself trusts; private addresses may not', () => {
    const environment = { CERT_DIRECTORY_URL: 'https://acme.example.net/directory' };
    expect(load({ ...environment, CERT_DOMAIN: 'printer.local' }).problems).toEqual([]);
    expect(load({ ...environment, CERT_DOMAIN: '10.1.2.3' }).problems).toHaveLength(1);
  });

  it('are refused where only the second authority is public', () => {
    const environment = {
      CERT_DOMAIN: '10.1.2.3',
      CERT_CA_FILE: anchor(),
      CERT_FALLBACK_DIRECTORY_URL: 'https://acme.example.net/directory',
    };
    expect(load(environment).problems).toEqual([expect.stringContaining('CERT_FALLBACK_CA_FILE')]);
    expect(load({ ...environment, CERT_FALLBACK_CA_FILE: anchor() }).problems).toEqual([]);
  });

  it('are none of the public ones that look like them', () => {
    const names = 'local.example,internal.example.com,notlocal.org,9.9.9.9,2620:fe::fe,172.32.0.1';
    expect(load({ CERT_DOMAIN: names }).problems).toEqual([]);
  });

  it('may be answered to without a certificate, as written', () => {
    const { config } = load({ APP_PUBLIC_NAMES: 'printer.local,bücher.example,10.0.0.1' });
    expect(config?.publicNames).toEqual(['printer.local', 'xn--bcher-kva.example', '10.0.0.1']);
  });
});

describe('the trust anchor of a private authority', () => {
  const bad = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';

  it.each([
    [
      'is not there',
      () => '/nonexistent/ca.pem',
      /names \/nonexistent\/ca\.pem, which cannot be read: no such file/,
    ],
    ['is a folder', () => makeFolder(), /which is not a file/],
    ['is a pipe', pipe, /which is not a file/],
    ['holds no certificate', () => anchor('-----BEGIN PRIVATE KEY-----'), /which holds no PEM certificate/],
    [
      'is damaged',
      () => anchor(`${rootCertificates[0]}\n${bad}`),
      /whose certificate number 2 cannot be read/,
    ],
    ['is far too large', () => anchor('x'.repeat(1_100_000)), /larger than 1048576 bytes/],
  ])('is a problem where it %s', (_, path, message) => {
    for (const key of ['CERT_CA_FILE', 'CERT_FALLBACK_CA_FILE']) {
      const fallback = { CERT_FALLBACK_DIRECTORY_URL: 'https://acme.example.net/directory' };
      const { problems } = load({ ...fallback, [key]: path() });
      expect(problems).toEqual([expect.stringMatching(message)]);
      expect(problems[0]).toMatch(new RegExp(`^${key}: `));
    }
  });

  it('is a warning past its end', async () => {
    const path = anchor(await selfSigned('CN=Old', new Date('2020-01-01'), new Date('2021-02-03')));
    const { problems, warnings } = load({ CERT_CA_FILE: path });
    expect(problems).toEqual([]);
    expect(warnings).toEqual([expect.stringMatching(/^CERT_CA_FILE: .*CN=Old ended on 2021-02-03: get/)]);
  });
});

describe('BACKUP_PASSPHRASE_FILE', () => {
  const passphrase = (mode: number): string => {
    const path = join(makeFolder({ 'a passphrase': 'long enough' }), 'a passphrase');
    chmodSync(path, mode);
    return path;
  };

  it('is no problem where the service and nobody else may read it', () => {
    for (const mode of [0o600, 0o640, 0o400])
      expect(load({ BACKUP_PASSPHRASE_FILE: passphrase(mode) })).toMatchObject({
        problems: [],
        warnings: [],
      });
  });

  it.each([
    ['is missing', () => '/nonexistent/passphrase', /no such file.*no backup is made with it/],
    ['is a folder', () => makeFolder(), /is not a file/],
    [
      'may be read by all',
      () => passphrase(0o644),
      /others may read or change \(mode 0644\).*chmod 0640 '\/.*a passphrase'$/,
    ],
    ['may be written by its group', () => passphrase(0o660), /mode 0660/],
  ])('is a warning where it %s, and the service starts', (_, path, message) => {
    const { problems, warnings } = load({ BACKUP_PASSPHRASE_FILE: path() });
    expect([problems, warnings]).toEqual([[], [expect.stringMatching(message)]]);
  });
});

async function selfSigned(name: string, notBefore: Date, notAfter: Date): Promise<string> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const made = { name, notBefore, notAfter, keys, signingAlgorithm: algorithm };
  return (await X509CertificateGenerator.createSelfSigned(made)).toString('pem');
}

function pipe(): string {
  const path = join(makeFolder(), 'ca.pem');
  execFileSync('mkfifo', [path]);
  return path;
}

describe.each(['CERT_HOOK', 'CERT_DNS_HOOK'])('%s', (key) => {
  function program(mode = 0o755): string {
    const path = join(makeFolder(), 'hook');
    writeFileSync(path, '#!/bin/sh\n');
    chmodSync(path, mode);
    return path;
  }

  it('is the path of a program', () => {
    const path = program();
    expect(load({ [key]: path })).toMatchObject({ problems: [], warnings: [] });
    const link = join(makeFolder(), 'link');
    symlinkSync(path, link);
    expect(load({ [key]: link }).problems).toEqual([]);
  });

  it('is not a command line', () => {
    const { problems } = load({ [key]: '/bin/systemctl reload postfix' });
    expect(problems).toEqual([
      expect.stringMatching(/cannot be found: .*; the path of a program is wanted, not a/),
    ]);
    const [inFile] = loadConfig({
      flags: { 'secrets-dir': makeFolder({ 'acme.env': `${key}='systemctl reload postfix'` }) },
      environment: {},
      workingFolder: '/srv',
    }).problems;
    expect(inFile).toMatchObject({ key, allowed: 'the absolute path of a program, without arguments' });
  });

  it('has to be there, a file, executable, and writable by its owner alone; each problem says the mending command', () => {
    expect(load({ [key]: '/nonexistent' }).problems).toEqual([expect.stringContaining('cannot be found')]);
    expect(load({ [key]: makeFolder() }).problems).toEqual([expect.stringContaining('is not a file')]);
    const plain = program(0o640);
    expect(load({ [key]: plain }).problems).toEqual([
      `${key}: names ${plain}, which may not be executed (mode 0640): chmod 0755 ${plain}`,
    ]);
    for (const mode of [0o775, 0o757]) {
      const open = program(mode);
      expect(load({ [key]: open }).problems).toEqual([
        `${key}: names ${open}, but others than its owner may write ${open} ` +
          `(mode 0${mode.toString(8)}): chmod go-w ${open}`,
      ]);
    }
  });

  it('lies in a folder that others cannot write', () => {
    const folder = join(makeFolder(), 'open');
    mkdirSync(folder);
    const path = join(folder, 'hook');
    writeFileSync(path, '#!/bin/sh\n', { mode: 0o755 });
    chmodSync(folder, 0o777);
    expect(load({ [key]: path }).problems).toEqual([expect.stringContaining(`chmod go-w ${folder}`)]);
    chmodSync(folder, 0o1777);
    expect(load({ [key]: path }).problems).toEqual([]);
  });

  it.runIf(process.getuid?.() === 0)("is root's, and executable for the user of an installed service", () => {
    const path = program();
    const secrets = makeFolder();
    chownSync(path, 65_534, 65_534);
    for (const installed of [undefined, secrets]) {
      expect(load({ [key]: path }, installed).problems).toEqual([
        expect.stringMatching(/belongs to user 65534, who could change what is run: chown root /),
      ]);
    }
    chownSync(path, 0, 0);
    expect(load({ [key]: path }, secrets).problems).toEqual([]);
    chmodSync(path, 0o700);
    expect(load({ [key]: path }).problems).toEqual([]);
    expect(load({ [key]: path }, secrets).problems).toEqual([expect.stringContaining('may not be executed')]);
  });
});

describe('the staging directory', () => {
  const production = 'https://acme-v02.api.letsencrypt.org/directory';
  const staging = 'https://acme-staging-v02.api.letsencrypt.org/directory';

  it("is known for Let's Encrypt, else only where it is set", () => {
    expect(stagingUrlOf(production, undefined)).toBe(staging);
    expect(stagingUrlOf('https://ACME-v02.api.letsencrypt.org:443/directory', undefined)).toBe(staging);
    expect(stagingUrlOf(staging, undefined)).toBeUndefined();
    expect(stagingUrlOf('https://acme.example.net/directory', undefined)).toBeUndefined();
    expect(stagingUrlOf(production, 'https://acme.example.net/test')).toBe('https://acme.example.net/test');
  });

  it('is shown as it is in effect', () => {
    const shown = (environment: Record<string, string>) => {
      const { config, values } = load(environment);
      const value = values.find(({ field }) => field === 'certStagingUrl');
      return [config?.certStagingUrl, value?.text, value?.origin.kind];
    };
    expect(shown({})).toEqual([staging, staging, 'default']);
    const other = { CERT_DIRECTORY_URL: 'https://acme.example.net/directory' };
    expect(shown(other)).toEqual([undefined, undefined, 'default']);
    const own = 'https://acme.example.net/test';
    expect(shown({ ...other, CERT_STAGING_URL: own })).toEqual([own, own, 'environment']);
  });
});
