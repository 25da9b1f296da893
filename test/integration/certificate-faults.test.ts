import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAuthorityProxy, type AcmeResource, type Fault } from '../support/authority-proxy.ts';
import { bundle, makeCertificateHost } from '../support/certificate-host.ts';
import { changeState, readState, scenesBefore, type Scene } from '../support/certificate-scene.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';
import { liveness, statusOf, untilServed } from '../support/served-certificate.ts';
import { until } from '../support/until.ts';

let pebble: Pebble;
/** Another authority. */
let second: Pebble;
beforeAll(async () => {
  pebble = await startPebble({
    blockedDomains: ['blocked.example'],
    profiles: { default: 90 * 86_400, 'of-the-first': 90 * 86_400 },
  });
  second = await startPebble({ httpPort: pebble.httpPort });
});
afterAll(() => Promise.all([pebble.stop(), second.stop()]));

const inScene = scenesBefore(() => pebble);
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const problem = (type: string, detail: string) =>
  JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail });

const otherKey = (): Fault => {
  const body = readFileSync(pebble.caFile, 'utf8');
  return (answer) => ({ ...answer, body });
};
const tenYearsBehind: Fault = (answer) => ({
  ...answer,
  headers: { ...answer.headers, date: new Date(Date.now() - 3653 * 24 * hourMs).toUTCString() },
});

describe.concurrent(
  'renew-certs says what failed, why and what to do, where the authority',
  { timeout: 300_000 },
  () => {
    const table: readonly [string, AcmeResource, () => Fault, string[]][] = [
      [
        'limits us',
        'newOrder',
        () => ({
          status: 429,
          headers: { 'retry-after': '7200' },
          body: problem('rateLimited', 'too many already'),
        }),
        ['limits how often it may be asked until 20', 'too many already'],
      ],
      [
        'is under maintenance',
        'directory',
        () => ({ status: 503, headers: { 'retry-after': '300' }, body: 'down' }),
        [' until 20', 'run this command again'],
      ],
      ['hangs', 'newOrder', () => 'hang', ['takes too long', 'did not answer within 30 seconds']],
      [
        'cuts the connection',
        'newOrder',
        () => 'cut',
        ['cannot be reached', 'cut the connection', 'firewall'],
      ],
      [
        'answers something else',
        'newOrder',
        () => ({ body: '{"status":"fine"}' }),
        ['does not answer as an ACME server'],
      ],
      [
        'is a web page',
        'directory',
        () => ({ headers: { 'content-type': 'text/html' }, body: '<!doctype html><title>Hi</title>' }),
        ['a web page', 'CERT_DIRECTORY_URL'],
      ],
      ['signs another key', 'certificate', otherKey, ['another key than ours', 'Nothing of it was kept']],
      [
        'is forbidden by CAA',
        'finalize',
        () => ({ status: 403, body: problem('caa', 'CAA record for host prevents issuance') }),
        ['forbidden to issue by a CAA record', 'prevents issuance', 'Allow the authority in the CAA records'],
      ],
    ];
    it.each(table)('%s', async (_, resource, fault, words) =>
      inScene(async (scene) => {
        const { host, proxy } = scene;
        proxy.fault(resource, fault());
        const { exitCode, out, err } = await host.run(['renew-certs']);
        expect(exitCode, err).toBe(4);
        expect(out).toBe('');
        for (const word of [`error: ${scene.name}: `, '\nto do: ', ...words]) expect(err).toContain(word);
        expect(err).toMatch(/meanwhile: there is no certificate yet\n$/);
        expect(err).not.toMatch(/\n {4}at |undefined|\[object/);
        expectNoCertificate(scene);
        proxy.heal();
        const again = await host.run(['renew-certs', '--force']);
        expect(again.exitCode, again.err).toBe(0);
        expect(proxy.orders()).toBeLessThanOrEqual(2);
      }),
    );

    /** An order that can be gone on with may stay. */
    const expectNoCertificate = ({ place }: Scene) => {
      const files = existsSync(place) ? readdirSync(place) : [];
      expect(files.filter((file) => file.includes('pem') || file.startsWith('certificate'))).toEqual([]);
    };

    it('has a certificate of its own that is over: the clock is named', async () =>
      inScene(async (scene) => {
        const old = { notBefore: Date.now() - 48 * hourMs, notAfter: Date.now() - hourMs };
        const outdated = await startPebble({ httpPort: pebble.httpPort, listenerLife: old });
        try {
          const date = () => new Date().toISOString().slice(0, 10);
          const before = date();
          const { exitCode, err } = await scene.host.run(['renew-certs'], {
            environment: { CERT_DIRECTORY_URL: outdated.directoryUrl, CERT_CA_FILE: outdated.caFile },
          });
          expect(exitCode).toBe(4);
          expect(err).toContain('cannot be trusted');
          expect(err).toMatch(new RegExp(`to do: This host's clock shows (${before}|${date()}) `));
        } finally {
          await outdated.stop();
        }
      }));

    it('is not trusted: CERT_CA_FILE is named', async () =>
      inScene(async ({ host }) => {
        const { exitCode, err } = await host.run(['renew-certs'], {
          environment: { CERT_CA_FILE: second.caFile },
        });
        expect(exitCode).toBe(4);
        expect(err).toContain('cannot be trusted');
        expect(err).toMatch(/to do: .*CERT_CA_FILE/);
      }));

    it('has another time by ten years: that is said first, and it goes on', async () =>
      inScene(async ({ host, proxy }) => {
        proxy.fault('directory', tenYearsBehind);
        const { exitCode, err } = await host.run(['renew-certs']);
        expect(exitCode, err).toBe(0);
        expect(err).toMatch(/This host's clock \(.*\) is 10 years ahead of the authority's/);
        proxy.fault('newOrder', { status: 400, body: problem('malformed', 'no') });
        const failed = await host.run(['renew-certs', '--force']);
        expect(failed.exitCode).toBe(4);
        expect(failed.err).toMatch(/to do: .*This host's clock .* is 10 years ahead/);
        expect(failed.err).toMatch(/meanwhile: the certificate from before still serves, until 20/);
      }));

    it('does not sign a name by policy', async () =>
      inScene(async ({ host }) => {
        const environment = { CERT_DOMAIN: 'www.blocked.example' };
        const { exitCode, err } = await host.run(['renew-certs'], { environment });
        expect(exitCode).toBe(4);
        expect(err).toContain('does not issue for this name');
        expect(err).toMatch(/to do: Check the spelling in CERT_DOMAIN/);
      }));

    it('meets somebody else under our name', async () =>
      inScene(async ({ host, name, proxy }) => {
        const elsewhere = createServer((_, response) => response.end('<h1>It works!</h1>')).listen(
          pebble.httpPort,
          '127.0.0.251',
        );
        await once(elsewhere, 'listening');
        await pebble.dns('/clear-a', { host: name });
        await pebble.dns('/add-a', { host: name, addresses: ['127.0.0.251'] });
        const { exitCode, err } = await host.run(['renew-certs']);
        elsewhere.close();
        expect(exitCode).toBe(4);
        expect(err).toContain(`got somebody else's answer for ${name}`);
        expect(err).toMatch(/to do: Another server answers on port 80 under .*A and AAAA records/);
        expect(proxy.orders()).toBe(1);
      }));

    it('finds nobody under our name', async () =>
      inScene(async ({ host, name }) => {
        await pebble.dns('/clear-a', { host: name });
        await pebble.dns('/add-a', { host: name, addresses: ['127.0.0.250'] });
        const { exitCode, err } = await host.run(['renew-certs']);
        expect(exitCode).toBe(4);
        expect(err).toContain(`could not connect to ${name} on port 80`);
        expect(err).toMatch(/to do: Open port 80 for everybody/);
      }));
  },
);

describe.concurrent('a Retry-After', { timeout: 300_000 }, () => {
  const limit = { status: 429, headers: { 'retry-after': '7200' }, body: problem('rateLimited', 'later') };

  it('is kept by renew-certs, unless it is forced', async () =>
    inScene(async ({ host, proxy }) => {
      proxy.fault('newOrder', limit);
      await host.run(['renew-certs']);
      proxy.heal();
      const asked = proxy.requests.length;
      const { exitCode, err } = await host.run(['renew-certs']);
      expect(exitCode).toBe(4);
      expect(err).toMatch(/wants not to be asked before 20.*, after: .*later/);
      expect(err).toContain('--force');
      expect(proxy.requests.length).toBe(asked);
      const forced = await host.run(['renew-certs', '--force']);
      expect(forced.exitCode).toBe(0);
      expect(forced.err).toContain('asking all the same, because of --force');
    }));

  it('is kept by the service over a restart, and holds up neither whoami nor other certificates', async () =>
    inScene(async (scene) => {
      const { host, proxy, place, name } = scene;
      const other = `other.${name}`;
      await pebble.dns('/add-a', { host: other, addresses: [scene.address] });
      const environment = { CERT_DOMAIN: `${name};${other}` };
      proxy.fault('newOrder', limit, 1);
      const service = await host.serve(environment);
      await until('the first has failed', () => existsSync(join(place, 'renewal.json')));
      expect(await liveness(scene)).toBe(200);
      await until('the other one is there', () => existsSync(join(place, '..', other, 'certificate.json')));
      await until('it is noted', () => Number(readState(place)['failures']) === 1);
      const { nextAttemptAt, lastError } = await statusOf(scene);
      expect(Date.parse(String(nextAttemptAt)) - Date.now()).toBeGreaterThan(118 * minuteMs);
      expect(lastError?.message).toContain('limits how often it may be asked');
      service.kill('SIGTERM');
      await service.ended;
      const orders = proxy.orders();
      await host.serve(environment);
      expect(await statusOf(scene)).toMatchObject({ nextAttemptAt, state: 'stand-in' });
      expect(proxy.orders()).toBe(orders);
    }));
});

describe.concurrent('the service', { timeout: 300_000 }, () => {
  it('answers while the authority hangs', async () =>
    inScene(async (scene) => {
      const { host, proxy } = scene;
      proxy.fault('newOrder', 'hang');
      await host.serve();
      await until('the authority was asked', () => proxy.requests.at(-1)?.resource === 'newOrder');
      expect(await liveness(scene)).toBe(200);
      expect(await statusOf(scene)).toMatchObject({ state: 'stand-in' });
    }));

  it('keeps the time of its next attempt over a restart, and asks nobody before', async () =>
    inScene(async (scene) => {
      const { host, proxy, place } = scene;
      proxy.fault('newOrder', { status: 500, body: problem('serverInternal', 'broken') });
      const first = await host.serve();
      await until('it has failed', () => existsSync(join(place, 'renewal.json')));
      first.kill('SIGTERM');
      await first.ended;
      const noted = readState(place);
      expect(Number(noted['nextAttemptAt']) - Date.now()).toBeGreaterThan(30_000);
      const asked = proxy.requests.length;
      await host.serve();
      expect(await statusOf(scene)).toMatchObject({
        nextAttemptAt: new Date(Number(noted['nextAttemptAt'])).toISOString(),
        reason: 'again after one attempt that failed',
        lastError: { failures: 1 },
      });
      expect(proxy.requests.length).toBe(asked);
    }));

  it('fails and says so when CERT_CA_FILE is gone, and goes on when it is back', async () =>
    inScene(async (scene) => {
      const { host, proxy } = scene;
      const ca = bundle(join(host.folder, 'ca.pem'), proxy.caFile);
      proxy.fault('directory', 'cut');
      await host.serve({ CERT_CA_FILE: ca });
      await until('it has failed', async () => (await statusOf(scene)).lastError !== undefined);
      proxy.heal();
      rmSync(ca);
      const { exitCode, err } = await host.run(['renew-certs'], {
        environment: { CERT_CA_FILE: proxy.caFile },
      });
      expect(exitCode, err).toBe(2);
      expect(err).toContain(`CERT_CA_FILE: no certificate can be read from ${ca}`);
      expect(err).toContain('to do: Name a PEM file');
      bundle(ca, proxy.caFile);
      expect((await host.run(['renew-certs'])).exitCode).toBe(0);
      await untilServed(scene);
    }));
});

describe.concurrent('after a first failure', { timeout: 300_000 }, () => {
  const refuse = { status: 403, body: problem('unauthorized', 'not yours') };

  it('the staging authority is tried, and the other one asked only when that went well', async () =>
    inScene(async (scene) => {
      const { host, proxy, place } = scene;
      const staging = await startAuthorityProxy(second);
      try {
        await second.dns('/add-a', { host: scene.name, addresses: [scene.address] });
        const environment = {
          CERT_STAGING_URL: staging.directoryUrl,
          CERT_CA_FILE: bundle(join(host.folder, 'both.pem'), proxy.caFile, staging.caFile),
        };
        const renew = () => host.run(['renew-certs'], { environment });
        proxy.fault('newOrder', refuse);
        const first = await renew();
        expect(first.exitCode, first.err).toBe(4);
        expect([proxy.orders(), staging.requests.length]).toEqual([0, 0]);

        const asked = proxy.requests.length;
        proxy.heal();
        staging.fault('newOrder', refuse);
        const trial = await renew();
        expect(trial.exitCode).toBe(4);
        expect(trial.err).toContain(
          `trying at ${staging.directoryUrl} first, because the last attempt failed`,
        );
        expect(trial.err).toContain('not yours');
        expect(proxy.requests.length).toBe(asked);
        expect(readState(place)).toMatchObject({ failures: 2, stagingPassed: false });

        staging.heal();
        const third = await renew();
        expect(third.exitCode, third.err).toBe(0);
        expect([proxy.orders(), staging.orders()]).toEqual([1, 1]);
        expect(await host.load(staging.directoryUrl)).toBeUndefined();
      } finally {
        await staging.stop();
      }
    }));

  it('the second authority is asked when the first has failed for a day, and gives way to it', async () =>
    inScene(async (scene) => {
      const { host, proxy, place } = scene;
      const fallback = await startAuthorityProxy(second);
      try {
        await second.dns('/add-a', { host: scene.name, addresses: [scene.address] });
        const environment = {
          CERT_FALLBACK_DIRECTORY_URL: fallback.directoryUrl,
          CERT_FALLBACK_CA_FILE: fallback.caFile,
          // Debian's Pebble has none
          ...(pebble.features.profiles && { CERT_PROFILE: 'of-the-first' }),
        };
        proxy.fault('directory', { status: 503, body: 'down' });
        const first = await host.serve(environment);
        await until('it has failed', () => existsSync(join(place, 'renewal.json')));
        expect(await statusOf(scene)).toMatchObject({ state: 'stand-in' });
        expect(fallback.requests.length).toBe(0);
        first.kill('SIGTERM');
        await first.ended;

        changeState(place, { failingSince: Date.now() - 25 * hourMs });
        await host.serve(environment);
        const serial = await untilServed(scene, { place: host.place(fallback.directoryUrl) });
        expect(await statusOf(scene)).toMatchObject({
          state: 'fallback',
          serial,
          servedAuthority: fallback.directoryUrl,
          lastError: { message: expect.stringContaining('503') as string },
        });
        expect(fallback.orders()).toBe(1);

        proxy.heal();
        const { exitCode, err } = await host.run(['renew-certs']);
        expect(exitCode, err).toBe(0);
        const own = await untilServed(scene);
        expect(await statusOf(scene)).toMatchObject({ state: 'valid', serial: own });
        expect([proxy.orders(), fallback.orders()]).toEqual([1, 1]);
      } finally {
        await fallback.stop();
      }
    }));
});

describe.concurrent(
  'a configuration that cannot be is refused at once, with nothing written',
  { timeout: 300_000 },
  () => {
    const many = Array.from({ length: 101 }, (_, number) => `host-${number}.example.com`).join(',');
    const table: readonly [string, Record<string, string>, string][] = [
      ['a wildcard without a program for DNS', { CERT_DOMAIN: '*.example.com' }, 'CERT_DNS_HOOK'],
      ['a name that is not ASCII', { CERT_DOMAIN: 'bücher.example' }, 'xn--bcher-kva.example'],
      ['a trailing dot', { CERT_DOMAIN: 'a.example.com.' }, 'a.example.com.'],
      ['a name twice', { CERT_DOMAIN: 'a.example.com,A.example.com' }, 'twice'],
      ['101 names', { CERT_DOMAIN: many }, '100 is the most'],
      [
        'a private address and a public authority',
        {
          CERT_DOMAIN: '10.1.2.3',
          CERT_DIRECTORY_URL: 'https://acme-v02.api.letsencrypt.org/directory',
          CERT_CA_FILE: '',
        },
        '10.1.2.3',
      ],
      ['a CA file that is not there', { CERT_CA_FILE: '/nonexistent/ca.pem' }, '/nonexistent/ca.pem'],
      ['a CA file that is a folder', { CERT_CA_FILE: '/tmp' }, '/tmp'],
      ['a CA file that is no PEM', { CERT_CA_FILE: '/etc/hostname' }, '/etc/hostname'],
    ];
    it.each(table)('%s', async (_, environment, word) => {
      const host = await makeCertificateHost({
        name: 'a.example.com',
        httpPort: pebble.httpPort,
        environment: {
          CERT_DIRECTORY_URL: pebble.directoryUrl,
          CERT_CA_FILE: pebble.caFile,
          APP_LISTEN_HOST: '127.0.0.249',
        },
      });
      try {
        for (const words of [['renew-certs'], ['serve']]) {
          const { exitCode, out, err } = await host.run(words, { environment });
          expect([exitCode, out], err).toEqual([2, '']);
          expect(err).toContain(word);
          expect(err.match(/^error: /gm), err).toHaveLength(1);
        }
        expect(readdirSync(host.folder)).toEqual([]);
      } finally {
        await host.clear();
      }
    });
  },
);
