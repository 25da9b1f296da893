import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createSocket } from 'node:dgram';
import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { createChallengeProbe } from '../../src/adapters/challenge-probe-http.ts';
import { createNameResolver } from '../../src/adapters/name-resolver-dns.ts';
import { preCheck, type PreCheck } from '../../src/certificates/pre-checks.ts';
import type { ChallengeResponder } from '../../src/ports/challenge-responder.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';

const records = [
  '--host-record=good.test,127.0.0.1',
  '--host-record=both.test,127.0.0.1,::1',
  '--host-record=second.test,127.0.0.2',
  '--host-record=mixed.test,127.0.0.1,2001:db8::1',
  '--host-record=inside.test,10.255.255.1',
  '--caa-record=good.test,0,iodef,mailto:owner@good.test',
  '--host-record=ours.test,127.0.0.1',
  '--caa-record=ours.test,0,issue,ca.example',
  '--host-record=www.ours.test,127.0.0.1',
  '--host-record=other.test,127.0.0.1',
  '--caa-record=other.test,0,issue,other.example',
  '--host-record=deep.www.other.test,127.0.0.1',
  '--caa-record=wild.test,0,issue,ca.example',
  '--caa-record=wild.test,0,issuewild,other.example',
  '--caa-record=critical.test,128,tbs,unknown',
  '--host-record=critical.test,127.0.0.1',
  '--cname=alias.test,other.test',
];

let dns: ChildProcess;
let dnsServer: string;
beforeAll(async () => {
  const port = await freePort();
  dnsServer = `127.0.0.1:${port}`;
  const own = [
    '--no-resolv',
    '--no-hosts',
    '--local=/test/',
    '--bind-interfaces',
    '--user=root',
    '--pid-file',
  ];
  dns = spawn(
    'dnsmasq',
    [
      '--keep-in-foreground',
      `--port=${port}`,
      '--listen-address=127.0.0.1',
      '--conf-file=/dev/null',
      ...own,
      ...records,
    ],
    { stdio: 'ignore' },
  );
  const resolver = createNameResolver([dnsServer]);
  await until('dnsmasq answers', () =>
    resolver.addresses('good.test', AbortSignal.timeout(1000)).then(
      (addresses) => addresses.length === 1,
      () => false,
    ),
  );
});
afterAll(() => dns.kill());

const open: (Server | TcpServer)[] = [];
afterEach(() => {
  for (const server of open.splice(0)) {
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
  }
});

/** Challenges as the workers would answer them. */
function responderOf() {
  const challenges = new Map<string, string>();
  const presented: string[] = [];
  const responder: ChallengeResponder = {
    async present(token, keyAuthorization) {
      presented.push(token);
      challenges.set(token, keyAuthorization);
    },
    async remove(token) {
      challenges.delete(token);
    },
  };
  const hosts: (string | undefined)[] = [];
  const listener: RequestListener = (request, response) => {
    hosts.push(request.headers.host);
    const content = challenges.get(request.url?.replace('/.well-known/acme-challenge/', '') ?? '');
    response.statusCode = content === undefined ? 404 : 200;
    response.end(content);
  };
  return { responder, listener, challenges, presented, hosts };
}

async function listen(server: Server | TcpServer, address: string, port = 0): Promise<number> {
  open.push(server.listen(port, address));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

interface Scene {
  readonly names: readonly string[];
  readonly port?: number;
  readonly more?: Partial<PreCheck>;
}

async function check({ names, port = 1, more = {} }: Scene): Promise<string[]> {
  const warnings = await preCheck({
    names,
    caaIdentities: ['ca.example'],
    publicAuthority: false,
    dnsHook: false,
    listenHost: '::',
    responder: responderOf().responder,
    resolver: createNameResolver([dnsServer]),
    probe: createChallengeProbe({ port, timeoutMs: 10_000 }),
    signal: new AbortController().signal,
    ...more,
  });
  return warnings.map(({ name, text }) => `${name}: ${text}`);
}

/** What is said of names whose challenges arrive, so of their CAA records. */
async function checkCaa(names: readonly string[], more: Partial<PreCheck> = {}): Promise<string[]> {
  const { responder, listener } = responderOf();
  const port = await listen(createHttpServer(listener), '127.0.0.1');
  return check({ names, port, more: { responder, ...more } });
}

describe('CAA', () => {
  it('is not in the way where there is none, or none that speaks of authorities', async () => {
    expect(await checkCaa(['good.test'])).toEqual([]);
  });

  it('allows the authority, also from the parent', async () => {
    expect(await checkCaa(['ours.test', 'www.ours.test'])).toEqual([]);
  });

  it('that names another authority is said, for the name and all below it', async () => {
    const text =
      'the CAA record of other.test lets only other.example sign, and this authority is ca.example: ' +
      'add one with 0 issue "ca.example"';
    expect(await checkCaa(['other.test', 'deep.www.other.test'])).toEqual([
      `other.test: ${text}`,
      `deep.www.other.test: ${text}`,
    ]);
    expect(await checkCaa(['other.test'], { caaIdentities: ['ca.example', 'other.example'] })).toEqual([]);
  });

  it('counts at the end of an alias', async () => {
    expect(await checkCaa(['alias.test'])).toEqual([expect.stringContaining('lets only other.example sign')]);
  });

  it('has words of its own for wildcards', async () => {
    const [text, ...others] = await checkCaa(['*.wild.test']);
    expect(text).toBe(
      '*.wild.test: the CAA record of wild.test lets only other.example sign, and this authority is ' +
        'ca.example: add one with 0 issuewild "ca.example"',
    );
    expect(others).toEqual([]);
    expect(await checkCaa(['*.ours.test'])).toEqual([]);
  });

  it('that nobody understands is said', async () => {
    expect(await checkCaa(['critical.test'])).toEqual([
      'critical.test: the CAA record of critical.test has a critical property "tbs", which stops every authority',
    ]);
  });

  it('of an address is not asked for', async () => {
    expect(await checkCaa(['127.0.0.1'])).toEqual([]);
  });
});

describe('a challenge that nobody asked for', () => {
  it('arrives at every address, under the name, and is gone afterwards', async () => {
    const { responder, listener, challenges, presented, hosts } = responderOf();
    const port = await listen(createHttpServer(listener), '127.0.0.1');
    await listen(createHttpServer(listener), '::1', port);
    expect(await check({ names: ['both.test', '::1'], port, more: { responder } })).toEqual([]);
    expect(hosts).toHaveLength(3);
    expect(new Set(hosts)).toEqual(new Set(['[::1]', 'both.test']));
    expect(presented).toHaveLength(1);
    expect(challenges.size).toBe(0);
  });

  it('does not arrive by a dead AAAA record beside a good A', async () => {
    const { responder, listener } = responderOf();
    const port = await listen(createHttpServer(listener), '127.0.0.1');
    expect(await check({ names: ['both.test'], port, more: { responder } })).toEqual([
      'both.test: port 80 of ::1 refuses the connection or cuts it off: 127.0.0.1 is right and authorities try IPv6 first, ' +
        'so correct or remove the AAAA record',
    ]);
    expect(await check({ names: ['mixed.test'], port, more: { responder } })).toEqual([
      expect.stringMatching(
        /^mixed\.test: .*2001:db8::1.*: 127\.0\.0\.1 is right and .*remove the AAAA record$/,
      ),
    ]);
  });

  it('has nowhere to go where the name has no address', async () => {
    expect(await check({ names: ['missing.test', 'wild.test'] })).toEqual([
      'missing.test: it has no address in DNS, so nobody can come here to check it: add an A or AAAA record',
      expect.stringContaining('wild.test: it has no address in DNS'),
    ]);
  });

  it('is answered by another server', async () => {
    const port = await listen(
      createHttpServer((_, response) =>
        response.writeHead(404, { server: 'nginx/1.0\u00e9' }).end('not found'),
      ),
      '127.0.0.1',
    );
    expect(await check({ names: ['good.test'], port })).toEqual([
      'good.test: at port 80 of 127.0.0.1 something else answers (status 404, nginx/1.0?): where that is not NAT ' +
        'or a cloud that looks different from outside, point the record here and open port 80',
    ]);
  });

  it('is answered with 200 and something else', async () => {
    const port = await listen(
      createHttpServer((_, response) => response.end('x'.repeat(1_000_000))),
      '127.0.0.1',
    );
    expect(await check({ names: ['good.test'], port })).toEqual([
      expect.stringContaining('something else answers (status 200)'),
    ]);
  });

  it('is sent on', async () => {
    const port = await listen(
      createHttpServer((request, response) =>
        response.writeHead(301, { location: `https://${request.headers.host}/` }).end(),
      ),
      '127.0.0.1',
    );
    expect(await check({ names: ['good.test'], port })).toEqual([
      expect.stringContaining('sends the challenge on to https://good.test/'),
    ]);
  });

  it('is refused', async () => {
    expect(await check({ names: ['good.test'], port: await freePort() })).toEqual([
      expect.stringContaining('port 80 of 127.0.0.1 refuses the connection'),
    ]);
  });

  it('meets something that is no web server', async () => {
    const port = await listen(
      createTcpServer((socket) => socket.on('error', () => undefined).end('SSH-2.0-OpenSSH\r\n')),
      '127.0.0.1',
    );
    expect(await check({ names: ['good.test'], port })).toEqual([expect.stringContaining('no web server')]);
  });

  it('meets a server that says nothing', async () => {
    const port = await listen(
      createTcpServer((socket) => socket.on('error', () => undefined).resume()),
      '127.0.0.1',
    );
    const probe = createChallengeProbe({ port, timeoutMs: 700 });
    expect(await check({ names: ['good.test'], more: { probe } })).toEqual([
      expect.stringContaining('takes the connection and says nothing'),
    ]);
  });

  it('is fetched once from each place, one good and one not', async () => {
    const { responder, listener } = responderOf();
    const port = await listen(createHttpServer(listener), '127.0.0.1');
    expect(await check({ names: ['good.test', 'second.test'], port, more: { responder } })).toEqual([
      expect.stringContaining('second.test: port 80 of 127.0.0.2 refuses'),
    ]);
  });

  it('cannot come from the Internet to an address inside', async () => {
    expect(await check({ names: ['inside.test'], more: { publicAuthority: true } })).toEqual([
      expect.stringContaining(
        'inside.test: seen from here it is at 10.255.255.1, where the authority cannot come (private)',
      ),
    ]);
  });

  it('that cannot be put up is said', async () => {
    const responder: ChallengeResponder = {
      present: () => Promise.reject(new Error('worker 2 does not answer')),
      remove: () => Promise.resolve(),
    };
    const more = { responder };
    expect(await check({ names: ['good.test'], more })).toEqual([
      'good.test: challenges could not be put up to try them: worker 2 does not answer',
    ]);
    expect(await check({ names: ['missing.test'], more })).toHaveLength(1);
  });

  it('is not asked for where names are proven over DNS', async () => {
    const { responder, presented } = responderOf();
    expect(await check({ names: ['*.ours.test'], more: { responder } })).toEqual([]);
    expect(await check({ names: ['missing.test'], more: { responder, dnsHook: true } })).toEqual([]);
    expect(presented).toEqual([]);
  });
});

describe('an address', () => {
  it('of a family in which nobody listens is told with the setting', async () => {
    const about = async (listenHost: string) =>
      (await check({ names: ['127.0.0.1', '::1'], more: { listenHost } })).filter((text) =>
        text.includes('APP_LISTEN_HOST'),
      );
    expect(await about('127.0.0.1')).toEqual([
      '::1: nothing listens on IPv6, because APP_LISTEN_HOST is 127.0.0.1: with "::" it listens on both',
    ]);
    expect(await about('::1')).toEqual([expect.stringContaining('127.0.0.1: nothing listens on IPv4')]);
    expect(await about('::')).toEqual([]);
  });
});

describe('checks', () => {
  it('end in time and are told where the name server is silent', async () => {
    const silent = createSocket('udp4').bind(0, '127.0.0.1');
    await once(silent, 'listening');
    const resolver = createNameResolver([`127.0.0.1:${silent.address().port}`]);
    const started = performance.now();
    const names = Array.from({ length: 20 }, (_, index) => `n${index}.good.test`);
    const warnings = await check({ names, more: { resolver } });
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(warnings).toHaveLength(40);
    expect(warnings[0]).toBe(
      'n0.good.test: DNS does not say which authorities n0.good.test allows (CAA): no answer in time; an authority ' +
        'that gets no answer either does not sign',
    );
    expect(warnings[1]).toBe(
      'n0.good.test: DNS does not say which addresses n0.good.test has: no answer in time',
    );
    silent.close();
  });

  it('end in time where challenges are never put up', async () => {
    const never = new Promise<void>(() => undefined);
    const responder: ChallengeResponder = { present: () => never, remove: () => never };
    const started = performance.now();
    expect(await check({ names: ['good.test'], more: { responder } })).toHaveLength(1);
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  it('tell of a name server that refuses', async () => {
    expect((await check({ names: ['example.org'] }))[0]).toContain('the name server refuses (REFUSED)');
  });

  it('end at once and without a word when they are no longer wanted', async () => {
    const port = await listen(
      createTcpServer((socket) => socket.on('error', () => undefined).resume()),
      '127.0.0.1',
    );
    const signal = AbortSignal.timeout(100);
    expect(await check({ names: ['good.test', 'other.test'], port, more: { signal } })).toEqual([]);
    const aborted = AbortSignal.abort();
    expect(await check({ names: ['good.test', 'other.test'], port, more: { signal: aborted } })).toEqual([]);
  });
});
