import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { Agent } from 'node:https';
import { connect, type SecureContextOptions } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAuthorityProxy, type AuthorityProxy } from '../support/authority-proxy.ts';
import { startCertified, type CertifiedAppliance } from '../support/certified-appliance.ts';
import { freePort } from '../support/free-port.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const browser = { Accept: 'text/html', 'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64)' };
const whoami = /^\{"IP":"127\.0\.0\.1"/;
/** A connection that is closed without an answer. */
const cut = { code: 'ECONNRESET' };
/** OpenSSL offers no old versions by itself. */
const old = { ciphers: 'DEFAULT@SECLEVEL=0' };

/** What the workers serve HTTPS with: serials by PID. */
async function byWorker(appliance: CertifiedAppliance, name: string): Promise<Map<number, string>> {
  const seen = new Map<number, string>();
  for (let count = 0; count < 40; count++) {
    const { serial, body } = await appliance.visit({ name, path: '/health/ready' });
    const { pid } = JSON.parse(body) as { pid: number };
    expect(seen.get(pid) ?? serial).toBe(serial);
    seen.set(pid, serial);
  }
  return seen;
}

describe('several certificates', () => {
  let pebble: Pebble;
  let proxy: AuthorityProxy;
  let appliance: CertifiedAppliance;
  let metricsPort: number;
  /** Lets the authority look at the challenges. */
  let openGate: () => void;
  let token = '';
  beforeAll(async () => {
    pebble = await startPebble();
    proxy = await startAuthorityProxy(pebble);
    const gate = Promise.withResolvers<void>();
    openGate = gate.resolve;
    proxy.onRequest = ({ resource }, phase) =>
      resource === 'challenge' && phase === 'before' ? gate.promise : undefined;
    proxy.fault('authorization', (answer) => {
      const { challenges } = JSON.parse(answer.body) as { challenges: { type: string; token: string }[] };
      token ||= challenges.find(({ type }) => type === 'http-01')?.token ?? '';
      return answer;
    });
    metricsPort = await freePort();
    appliance = await startCertified({
      pebble: { ...pebble, directoryUrl: proxy.directoryUrl, caFile: proxy.caFile },
      settings: {
        CERT_DOMAIN: 'a.test,b.test; c.test,127.0.0.1',
        APP_METRICS_LISTEN: `127.0.0.1:${metricsPort}`,
      },
    });
  });
  afterAll(async () => {
    await appliance?.stop();
    await proxy?.stop();
    await pebble?.stop();
  });

  describe('before the first is there', () => {
    it('HTTPS answers all the same, with one that is signed by itself', async () => {
      const seen = await appliance.visit({ name: 'a.test' });
      expect(seen).toMatchObject({ status: 200, trusted: false, distrust: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
      expect(seen.body).toMatch(whoami);
      expect(seen.subjectAltName).toContain('DNS:a.test');
      expect((await byWorker(appliance, 'c.test')).size).toBe(2);
    });

    it('plain HTTP answers everything itself and redirects nobody', async () => {
      expect((await appliance.plain('/whoami', { Host: 'a.test' })).body).toMatch(whoami);
      expect(await appliance.plain('/', { Host: 'a.test', ...browser })).toMatchObject({ status: 200 });
      for (const path of ['/health/live', '/health/ready']) {
        expect(await appliance.plain(path)).toMatchObject({ status: 200 });
        expect(await appliance.visit({ path })).toMatchObject({ status: 200 });
      }
    });

    it('the challenge is answered by every worker, under any Host', async () => {
      await until('the authority was told', () =>
        proxy.requests.some(({ resource }) => resource === 'challenge'),
      );
      for (const Host of ['a.test', 'b.test', 'nobody.example', '192.0.2.1:8080']) {
        for (let count = 0; count < 10; count++) {
          const answer = await appliance.plain(`/.well-known/acme-challenge/${token}`, { Host });
          expect(answer.status).toBe(200);
          expect(answer.body).toMatch(new RegExp(`^${token}\\.[\\w-]{43}$`));
        }
      }
    });

    it('status says that a stand-in serves, and why it is asked for', async () => {
      const { certificates } = await appliance.status();
      expect(certificates).toMatchObject([
        { names: ['a.test', 'b.test'], state: 'stand-in', reason: 'because there is no certificate yet' },
        { names: ['c.test', '127.0.0.1'], state: 'stand-in' },
      ]);
      expect(certificates[0]).not.toHaveProperty('serial');
    });
  });

  describe('once they are there', () => {
    beforeAll(async () => {
      openGate();
      await appliance.issued({ name: 'a.test' });
      await appliance.issued({ name: 'c.test' });
    });

    it('every worker serves the one that has the name', async () => {
      const first = await appliance.visit({ name: 'a.test' });
      expect(first).toMatchObject({ trusted: true, status: 200, subjectAltName: 'DNS:a.test, DNS:b.test' });
      expect(first.body).toMatch(whoami);
      const other = await appliance.visit({ name: 'c.test' });
      expect(other).toMatchObject({ trusted: true, subjectAltName: 'DNS:c.test, IP Address:127.0.0.1' });
      for (const [name, { serial }] of [
        ['a.test', first],
        ['b.test', first],
        ['c.test', other],
      ] as const) {
        const serials = await byWorker(appliance, name);
        expect(new Set(serials.keys())).toEqual(new Set(appliance.service.workers()));
        expect(new Set(serials.values())).toEqual(new Set([serial]));
      }
    });

    it('letter case of the name makes no difference', async () => {
      const { serial } = await appliance.visit({ name: 'b.test' });
      for (const name of ['B.TEST', 'B.Test', 'b.tesT']) {
        expect(await appliance.visit({ name })).toMatchObject({ serial, trusted: true, status: 200 });
      }
    });

    it('who comes by the address gets the one that has the address', async () => {
      const { serial } = await appliance.visit({ name: 'c.test' });
      expect(await appliance.visit()).toMatchObject({ serial, trusted: true, status: 200 });
      const url = `https://127.0.0.1:${appliance.httpsPort}/whoami`;
      const { stdout } = await run('curl', ['-sS', '--noproxy', '*', '--cacert', appliance.rootFile, url]);
      expect(stdout).toMatch(whoami);
    });

    it.each<[string, SecureContextOptions, string]>([
      ['TLS 1.3 is spoken', { minVersion: 'TLSv1.3' }, 'TLSv1.3'],
      ['TLS 1.2 is spoken', { maxVersion: 'TLSv1.2' }, 'TLSv1.2'],
      ['TLS 1.1 is refused', { ...old, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' }, 'protocol version'],
      [
        'a cipher without forward secrecy is refused',
        { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' },
        'handshake failure',
      ],
      [
        'a cipher in CBC mode is refused',
        { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256' },
        'handshake failure',
      ],
    ])('%s', async (_, offer, outcome) => {
      const socket = connect({
        host: '127.0.0.1',
        port: appliance.httpsPort,
        servername: 'a.test',
        ca: appliance.root,
        ...offer,
      });
      const version = once(socket, 'secureConnect').then(() => socket.getProtocol());
      expect(await version.catch((error: Error) => error.message)).toContain(outcome);
      socket.destroy();
    });

    it('a Host that is not ours gets its connection closed without an answer, on either port', async () => {
      await expect(appliance.visit({ name: 'a.test', host: 'other.test' })).rejects.toMatchObject(cut);
      await expect(appliance.plain('/whoami', { Host: 'other.test' })).rejects.toMatchObject(cut);
      // challenges are for plain HTTP
      const path = '/.well-known/acme-challenge/x';
      await expect(appliance.visit({ name: 'a.test', host: 'other.test', path })).rejects.toMatchObject(cut);
      expect(await appliance.plain(path, { Host: 'other.test' })).toMatchObject({ status: 404 });
      expect(await appliance.visit({ host: 'other.test', path: '/health/live' })).toMatchObject({
        status: 200,
      });
    });

    it('pages go over to HTTPS under their own name, while text clients are answered where they are', async () => {
      for (const name of ['a.test', 'b.test', '127.0.0.1']) {
        const answer = await appliance.plain('/?ip=192.0.2.7', {
          Host: `${name}:${appliance.httpPort}`,
          ...browser,
        });
        expect(answer).toMatchObject({
          status: 307,
          headers: { location: `https://${name}:${appliance.httpsPort}/?ip=192.0.2.7` },
        });
      }
      const text = await appliance.plain('/', { Host: 'a.test', 'User-Agent': 'curl/8.14.1', Accept: '*/*' });
      expect(text).toMatchObject({ status: 200, body: '127.0.0.1\n' });
      expect(await appliance.plain('/whoami', { Host: 'a.test', ...browser })).toMatchObject({ status: 200 });
    });

    it('browsers are not told to stay with HTTPS under a private authority', async () => {
      for (const name of ['a.test', 'c.test', undefined]) {
        const { headers } = await appliance.visit({ name, path: '/', headers: browser });
        expect(headers).not.toHaveProperty('strict-transport-security');
      }
    });

    it('the metrics tell what serves, when it ends, when it is renewed and whether that failed', async () => {
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
      const { certificates } = await appliance.status();
      for (const { names, notAfter = '', nextAttemptAt } of certificates) {
        const labels = `{name="${names[0]}"}`;
        const lines = text.split('\n').filter((line) => line.includes(labels));
        const info = text
          .split('\n')
          .find((line) => line.startsWith(`appliance_certificate_info{name="${names[0]}"`));
        expect(info).toContain(`names="${names.join(' ')}"`);
        expect(info).toMatch(/authority="https:.+state="valid".+reason=".+error=""\} 1$/);
        const values = new Map(
          lines.map(
            (line) => line.replace('appliance_certificate_', '').split(`${labels} `) as [string, string],
          ),
        );
        expect(Number(values.get('not_after_timestamp_seconds'))).toBe(Date.parse(notAfter) / 1000);
        expect(Number(values.get('next_attempt_timestamp_seconds'))).toBeCloseTo(
          Date.parse(nextAttemptAt) / 1000,
          1,
        );
        expect(values.get('failures')).toBe('0');
      }
      expect(certificates).toHaveLength(2);
    });

    it('a connection that is open while certificates are swapped gets its answer, and is closed with it', async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const atHand = Promise.withResolvers<void>();
      const gate = Promise.withResolvers<void>();
      proxy.onRequest = ({ resource }, phase) => {
        if (resource !== 'certificate' || phase !== 'after') return undefined;
        atHand.resolve();
        return gate.promise;
      };
      try {
        const ask = () => appliance.visit({ name: 'a.test', agent });
        const renewed = appliance.command('renew-certs', '--force', '--domain', 'a.test');
        // not sooner: who asks nothing for ten seconds is hung up on
        await Promise.race([atHand.promise, renewed]);
        const first = await ask();
        expect(first.headers.connection).not.toBe('close');
        gate.resolve();
        expect((await renewed).exitCode).toBe(0);
        const second = await ask();
        expect(second).toMatchObject({ status: 200, serial: first.serial, headers: { connection: 'close' } });
        const third = await ask();
        expect(third).toMatchObject({ status: 200, trusted: true });
        expect(third.serial).not.toBe(first.serial);
      } finally {
        gate.resolve();
        proxy.onRequest = () => {};
        agent.destroy();
      }
    });

    it('a worker that was killed comes back with HTTPS', async () => {
      const { serial } = await appliance.visit({ name: 'a.test' });
      const [victim] = appliance.service.workers();
      process.kill(victim!, 'SIGKILL');
      await until('another has its place', async () => {
        const { workers } = await appliance.status();
        return workers.length === 2 && workers.every(({ pid }) => pid !== victim);
      });
      await until('it serves HTTPS', async () => (await byWorker(appliance, 'a.test')).size === 2);
      expect(new Set((await byWorker(appliance, 'a.test')).values())).toEqual(new Set([serial]));
    });
  });
});
