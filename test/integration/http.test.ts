import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAppliance, type Appliance } from '../support/appliance.ts';
import { freePort } from '../support/free-port.ts';
import { exchange } from '../support/raw-http.ts';
import { until } from '../support/until.ts';

const browser = {
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
};
const curl = { 'user-agent': 'curl/8.14.1', accept: '*/*' };
const google = { 'x-forwarded-for': '8.8.8.8' };

let appliance: Appliance;
beforeAll(async () => {
  appliance = await startAppliance({ environment: { APP_PORT_TEST: 'on' }, flags: ['--workers', '1'] });
});
afterAll(() => appliance.stop());

interface Answered {
  status: number;
  type: string | null;
  headers: Headers;
  body: string;
}
async function get(
  path: string,
  headers: { [name: string]: string } = {},
  method = 'GET',
): Promise<Answered> {
  const response = await fetch(`${appliance.url}${path}`, { method, headers: { ...curl, ...headers } });
  const { status } = response;
  return {
    status,
    type: response.headers.get('content-type'),
    headers: response.headers,
    body: await response.text(),
  };
}
const problemOf = (answer: Answered) =>
  JSON.parse(answer.body) as { status: number; code: string; detail: string };

describe('GET /whoami', () => {
  it('says who the caller is, with the keys that are known and no others', async () => {
    const { status, type, body, headers } = await get('/whoami', google);
    expect([status, type]).toEqual([200, 'application/json']);
    expect(JSON.parse(body)).toEqual({
      IP: '8.8.8.8',
      AUTONOMOUS_SYSTEM_ORGANIZATION: 'Google LLC',
      CONTINENT_NAME: 'North America',
      COUNTRY_NAME: 'United States',
      CREATED_AT: expect.stringMatching(/^\d\d [A-Z][a-z]{2} 20\d\d \d\d:\d\d:\d\d UTC$/) as string,
    });
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('access-control-allow-origin')).toBe('*');
  });
  it.each(['/whoami', '/whoami/'])('answers the same at %s', async (path) => {
    expect((await get(path, google)).body).toContain('"COUNTRY_NAME":"United States"');
  });
  it('answers JSON to a browser too', async () => {
    expect((await get('/whoami', browser)).type).toBe('application/json');
  });
  it('says no more of a private caller than its address', async () => {
    expect(Object.keys(JSON.parse((await get('/whoami')).body) as object)).toEqual(['IP', 'CREATED_AT']);
  });
});

describe('GET /json', () => {
  it('has every fact under its stable name', async () => {
    const { body } = await get('/json?ip=2001:4860:4860::8888');
    expect(body).toContain('"ip_decimal":42541956123769884636017138956568135816,');
    expect(JSON.parse(body)).toMatchObject({
      ip: '2001:4860:4860::8888',
      ip_version: 6,
      network: expect.stringMatching(/^2001:4860:[\da-f:]*\/\d+$/) as string,
      asn: 'AS15169',
      asn_org: 'Google LLC',
      country_eu: false,
      user_agent: curl['user-agent'],
      database: expect.stringMatching(/^DBIP-Country-Lite 20\d\d-\d\d-\d\d, /) as string,
    });
  });
  it('knows the members of the European Union', async () => {
    expect(JSON.parse((await get('/json?ip=194.94.1.1')).body)).toMatchObject({
      country_iso: 'DE',
      country_eu: true,
      continent_code: 'EU',
    });
  });
  it.each([
    ['10.1.2.3', 'private'],
    ['127.0.0.1', 'loopback'],
    ['100.64.0.1', 'cgnat'],
    ['203.0.113.7', 'documentation'],
    ['2001:db8::1', 'documentation'],
    ['224.0.0.1', 'multicast'],
    ['ff02::1', 'multicast'],
    ['fd00::1', 'private'],
    ['fe80::1', 'link-local'],
  ])('says that %s is a bogon, and which kind: %s', async (ip, bogon) => {
    const answer = JSON.parse((await get(`/json?ip=${ip}`)).body) as object;
    expect(answer).toMatchObject({ ip, bogon });
    expect(answer).not.toHaveProperty('country');
    expect(answer).not.toHaveProperty('asn');
    expect(answer).not.toHaveProperty('network');
  });
  it('does not take ::909:909 for 9.9.9.9, asked in either order', async () => {
    for (const ip of ['9.9.9.9', '::909:909', '9.9.9.9']) {
      const answer = JSON.parse((await get(`/json?ip=${ip}`)).body) as { ip: string; asn?: string };
      expect(answer.ip).toBe(ip);
      expect(answer.asn).toBe(ip === '9.9.9.9' ? 'AS19281' : undefined);
    }
  });
  it('takes a mapped address for the IPv4 address that it is', async () => {
    expect(JSON.parse((await get('/json?ip=::ffff:8.8.8.8')).body)).toMatchObject({
      ip: '8.8.8.8',
      ip_version: 4,
    });
  });
});

describe('GET /', () => {
  it('is the bare address and a newline for curl', async () => {
    const { body, type } = await get('/', google);
    expect([body, type]).toEqual(['8.8.8.8\n', 'text/plain; charset=utf-8']);
  });
  it('is a page for a browser', async () => {
    const { body, type, headers } = await get('/', { ...browser, ...google });
    expect(type).toBe('text/html; charset=utf-8');
    expect(body).toMatch(/^<!doctype html>/i);
    expect(body).toContain('8.8.8.8');
    expect(body).toContain('https://db-ip.com');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('vary')).toBe('Accept, User-Agent');
  });
  it('is JSON for whoever asks for it', async () => {
    const { body, type } = await get('/', { accept: 'application/json', ...google });
    expect(type).toBe('application/json');
    expect(JSON.parse(body)).toMatchObject({ IP: '8.8.8.8' });
  });
  it('is 406 for whoever accepts none of these', async () => {
    const answer = await get('/', { ...browser, accept: 'image/png' });
    expect(answer.status).toBe(406);
    expect(problemOf(answer).code).toBe('not-acceptable');
  });
});

describe('the answers of one line', () => {
  it.each([
    ['/ip', '8.8.8.8'],
    ['/country', 'United States'],
    ['/country-iso', 'US'],
    ['/asn', 'AS15169'],
    ['/asn-org', 'Google LLC'],
  ])('%s is %s', async (path, line) => {
    expect(await get(path, google)).toMatchObject({
      status: 200,
      body: `${line}\n`,
      type: 'text/plain; charset=utf-8',
    });
    expect((await get(`${path}?ip=8.8.8.8`)).body).toBe(`${line}\n`);
  });
  it('/network is a network in CIDR notation', async () => {
    expect((await get('/network', google)).body).toMatch(/^8\.8\.\d+\.0\/\d+\n$/);
  });
  it.each(['/city', '/region', '/coordinates'])('%s is 404 where the databases do not know', async (path) => {
    const { status, body } = await get(path, google);
    expect(status).toBe(404);
    expect(body).toBe(`There is no ${path.slice(1)} for 8.8.8.8: the databases do not know it.\n`);
    const forPrograms = await get(path, { ...google, accept: 'application/json' });
    expect(forPrograms.type).toBe('application/problem+json; charset=utf-8');
    expect(problemOf(forPrograms)).toMatchObject({ status: 404, code: 'not-known' });
  });
});

describe('?ip=', () => {
  it.each([
    '',
    'x',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '1.2.3.4:80',
    '8.8.8.8, 9.9.9.9',
    '::1::',
    '%00',
  ])('with "%s" is 400 with a reason, everywhere', async (ip) => {
    for (const path of ['/', '/whoami', '/json', '/ip', '/country']) {
      const answer = await get(`${path}?ip=${encodeURIComponent(ip)}`, { accept: 'application/json' });
      expect(answer.status).toBe(400);
      expect(problemOf(answer).code).toBe('ip-invalid');
    }
  });
  it('twice is 400', async () => {
    expect(problemOf(await get('/json?ip=8.8.8.8&ip=9.9.9.9', browser)).code).toBe('ip-repeated');
  });
  it('is one line for a text client, whatever was asked', async () => {
    const { status, body } = await get('/?ip=a%0Ab%0D%0Ac');
    expect(status).toBe(400);
    expect(body.split('\n')).toHaveLength(2);
  });
  it('may stand in brackets', async () => {
    expect((await get('/ip?ip=[2001:4860:4860::8888]')).body).toBe('2001:4860:4860::8888\n');
  });
  it('leaves other parameters alone', async () => {
    expect((await get('/ip?callback=x&ip=8.8.8.8')).body).toBe('8.8.8.8\n');
    expect((await get('/ip?callback=x')).body).toBe('127.0.0.1\n');
  });
});

describe('who the caller is', () => {
  it('is what a trusted proxy appended, not what stood before it', async () => {
    expect((await get('/ip', { 'x-forwarded-for': '6.6.6.6, 8.8.8.8' })).body).toBe('8.8.8.8\n');
  });
  it('does not come from the other header', async () => {
    expect((await get('/ip', { forwarded: 'for=6.6.6.6', 'x-real-ip': '7.7.7.7' })).body).toBe('127.0.0.1\n');
  });
  it('takes the lines of a repeated header together, in order', async () => {
    const lines = ['X-Forwarded-For: ', 'X-Forwarded-For: 6.6.6.6', 'x-forwarded-for: 8.8.8.8'];
    const { received: answer } = await exchange(
      appliance.port,
      `GET /ip HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${lines.join('\r\n')}\r\n\r\n`,
    );
    expect(answer).toMatch(/\r\n\r\n8\.8\.8\.8\n$/);
  });
  it('is the socket where the header says nothing useful', async () => {
    for (const value of ['unknown', '', ',', 'x'.repeat(2000)]) {
      expect((await get('/ip', { 'x-forwarded-for': value })).body).toBe('127.0.0.1\n');
    }
  });
});

describe('GET /headers', () => {
  it('takes 15 kB of cookies, as browsers send them', async () => {
    const cookie = `a=${'x'.repeat(15_000)}`;
    expect((await get('/headers', { cookie })).status).toBe(200);
  });
  it('shows what came, without secrets', async () => {
    const { body } = await get('/headers', {
      cookie: 'sid=s3cr3t',
      authorization: 'Bearer t0k3n',
      'x-note': 'hello',
    });
    expect(JSON.parse(body)).toMatchObject({
      cookie: '(redacted)',
      authorization: '(redacted)',
      'x-note': 'hello',
    });
    expect(body).not.toMatch(/s3cr3t|t0k3n/);
  });
});

describe('GET /port/N', () => {
  it('says whether the caller can be reached there', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    expect(JSON.parse((await get(`/port/${port}`)).body)).toEqual({ ip: '127.0.0.1', port, reachable: true });
    server.close();
    await once(server, 'close');
    expect(JSON.parse((await get(`/port/${port}`)).body)).toEqual({
      ip: '127.0.0.1',
      port,
      reachable: false,
    });
  });
  it('gives up after two seconds on a port that takes no more callers', async () => {
    const port = await freePort();
    const full = spawn(process.execPath, [
      '-e',
      `require('net').createServer().listen({port:${port},host:'127.0.0.1',backlog:1},()=>process.kill(process.pid,'SIGSTOP'))`,
    ]);
    await until('it listens and sleeps', () =>
      /^\S+ \(.*\) T/.test(readFileSync(`/proc/${full.pid}/stat`, 'utf8')),
    );
    const waiting = Array.from({ length: 4 }, () => connect({ port, host: '127.0.0.1' }));
    await once(waiting[0]!, 'connect');
    const before = performance.now();
    expect(JSON.parse((await get(`/port/${port}`)).body)).toEqual({
      ip: '127.0.0.1',
      port,
      reachable: false,
    });
    const took = performance.now() - before;
    expect(took).toBeGreaterThan(1900);
    expect(took).toBeLessThan(4000);
    for (const socket of waiting) socket.destroy();
    full.kill('SIGKILL');
  });
  it.each(['0', '65536', 'http', '-1', '80x'])('with %s is 400', async (port) => {
    const answer = await get(`/port/${port}`, browser);
    expect(answer.status).toBe(400);
    expect(problemOf(answer).code).toBe('port-invalid');
  });
});

describe('health', () => {
  it('tells the host more than others', async () => {
    expect(JSON.parse((await get('/health/ready')).body)).toMatchObject({ status: 'ready', degraded: [] });
    expect(JSON.parse((await get('/health/ready', google)).body)).toEqual({ status: 'ready' });
    expect(JSON.parse((await get('/health/ready', { forwarded: 'for=8.8.8.8' })).body)).toEqual({
      status: 'ready',
    });
    expect((await get('/health/live')).status).toBe(200);
  });
});

describe('methods', () => {
  it('HEAD has the head of GET and no body', async () => {
    const { received: answer } = await exchange(
      appliance.port,
      'HEAD /json?ip=8.8.8.8 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toMatch(/\r\nContent-Length: [1-9]\d\d\r\n/);
    expect(answer).toMatch(/\r\n\r\n$/);
    expect(answer.match(/content-length/gi)).toHaveLength(1);
  });
  it('OPTIONS says what is allowed, also to a page of another origin', async () => {
    const { status, headers, body } = await get('/json', { origin: 'https://example.com' }, 'OPTIONS');
    expect([status, body]).toEqual([200, '']);
    expect(headers.get('content-length')).toBe('0');
    expect(headers.get('allow')).toBe('GET, HEAD, OPTIONS');
    expect(headers.get('access-control-allow-methods')).toBe('GET, HEAD, OPTIONS');
  });
  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'PROPFIND'])(
    '%s is 405 and says what is allowed',
    async (method) => {
      const answer = await get('/whoami', browser, method);
      expect(answer.status).toBe(405);
      expect(answer.headers.get('allow')).toBe('GET, HEAD, OPTIONS');
      expect(problemOf(answer).code).toBe('method-not-allowed');
    },
  );
});

describe('a request with a body', () => {
  it('is answered, and its connection closed', async () => {
    const { received: answer } = await exchange(
      appliance.port,
      'GET /ip HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer).toMatch(/\r\nConnection: close\r\n/);
  });

  it.each([
    ['Content-Length: 0\r\nContent-Length: 44'],
    ['Content-Length: 0\r\nTransfer-Encoding: chunked'],
    ['Transfer-Encoding: gzip'],
    ['Transfer-Encoding:'],
    ['Transfer-Encoding: chunked\r\nTransfer-Encoding: identity'],
  ])(
    'whose end is unclear (%j) is not answered, and what follows is not taken for a request',
    async (lines) => {
      const smuggled = 'GET /ip?ip=6.6.6.6 HTTP/1.1\r\nHost: a\r\n\r\n';
      const { received: answer } = await exchange(
        appliance.port,
        `GET /ip HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n${smuggled}`,
      );
      expect(answer).toMatch(/^$|^HTTP\/1\.1 400 /);
      expect(answer).not.toContain('6.6.6.6');
    },
  );
});

describe('other paths', () => {
  it.each(['/nothing', '/whoami/x', '//', '/metrics', '/admin/', '/.git/config', '/port', '/port/1/2'])(
    '%s is 404',
    async (path) => {
      const answer = await get(path, browser);
      expect(answer.status).toBe(404);
      expect(problemOf(answer).code).toBe('not-found');
      expect(answer.body).not.toContain('node:');
    },
  );
  it('/robots.txt lets the front page be found', async () => {
    expect((await get('/robots.txt')).body).toBe('User-agent: *\nAllow: /$\nDisallow: /\n');
  });
  it('/openapi.json describes the rest', async () => {
    const document = JSON.parse((await get('/openapi.json')).body) as { openapi: string; paths: object };
    expect(document.openapi).toMatch(/^3\.1/);
    expect(Object.keys(document.paths)).toContain('/whoami');
    expect(JSON.stringify(document)).toContain('db-ip.com');
  });
});

describe('our names', () => {
  let named: Appliance;
  beforeAll(async () => {
    named = await startAppliance({
      environment: { APP_PUBLIC_NAMES: 'whoami.example.com,192.0.2.1', CERT_DOMAIN: 'Example.org' },
      flags: ['--workers', '1'],
    });
  });
  afterAll(() => named.stop());
  const ask = async (host: string, path = '/ip') =>
    (await exchange(named.port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`))
      .received;

  it.each([
    'whoami.example.com',
    'WHOAMI.example.com:8080',
    'whoami.example.com.',
    '192.0.2.1',
    'example.org',
  ])('a request for %s is answered', async (host) => {
    expect(await ask(host)).toMatch(/^HTTP\/1\.1 200 OK/);
  });
  it.each(['other.example.com', 'example.com', '127.0.0.1', '', 'whoami.example.com.evil.test', '[::1]'])(
    'a request for "%s" gets its connection closed without an answer',
    async (host) => {
      expect(await ask(host)).toBe('');
    },
  );
  it('the host itself may ask for its health under any name', async () => {
    expect(await ask('127.0.0.1', '/health/ready')).toMatch(/^HTTP\/1\.1 200 OK/);
  });
});

describe('the Forwarded header', () => {
  let forwarded: Appliance;
  beforeAll(async () => {
    forwarded = await startAppliance({
      flags: ['--workers', '1', '--client-address-header', 'forwarded'],
    });
  });
  afterAll(() => forwarded.stop());
  it('names the caller when it is the one that is configured, and the other is not read', async () => {
    const headers = {
      forwarded: 'for=6.6.6.6, for="[2001:4860:4860::8888]:4711";proto=https',
      'x-forwarded-for': '7.7.7.7',
    };
    expect(await (await fetch(`${forwarded.url}/ip`, { headers })).text()).toBe('2001:4860:4860::8888\n');
  });
});

describe('the port test', () => {
  it('is off unless it is switched on', async () => {
    const plain = await startAppliance({ flags: ['--workers', '1'] });
    const response = await fetch(`${plain.url}/port/80`, { headers: { accept: 'application/json' } });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: 'port-test-off' });
    await plain.stop();
  });
});
