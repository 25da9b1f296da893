import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startAppliance, type Appliance } from '../support/appliance.ts';
import { until } from '../support/until.ts';
import { exchange, send, statusesIn } from '../support/raw-http.ts';

let appliance: Appliance;
let workers: number[];

beforeAll(async () => {
  appliance = await startAppliance({ environment: { APP_WORKERS: '2' } });
  workers = appliance.workers();
});

afterEach(async () => {
  for (let client = 0; client < 4; client++) {
    const { statuses, received } = await exchange(appliance.port, get('/ip', close));
    expect(statuses).toEqual([200]);
    expect(received).toMatch(/\r\n\r\n127\.0\.0\.1\n$/);
  }
  expect(appliance.workers()).toEqual(workers);
  expect(appliance.log()).not.toContain('worker ended');
});

afterAll(() => appliance.stop());

const close = 'Connection: close';

/** A whole request for a path, with further header lines. */
function get(path: string, ...lines: string[]): string {
  return `${[`GET ${path} HTTP/1.1`, 'Host: a.example', ...lines].join('\r\n')}\r\n\r\n`;
}

function post(body: string, ...lines: string[]): string {
  return `${['POST /ip HTTP/1.1', 'Host: a.example', ...lines].join('\r\n')}\r\n\r\n${body}`;
}

describe('a request that is none', () => {
  it.each<[what: string, bytes: string | Uint8Array, status?: number]>([
    ['without Host', 'GET /ip HTTP/1.1\r\n\r\n', 400],
    ['with Host twice', get('/ip', 'Host: b.example'), 400],
    ['with Host twice in other letters', get('/ip', 'hOST: a.example'), 400],
    ['with line ends of a bare LF', 'GET /ip HTTP/1.1\nHost: a\n\n', 400],
    ['with a bare LF among its header lines', get('/ip', 'X: a\nY: b'), 400],
    ['with a folded header line', get('/ip', 'X: a\r\n b'), 400],
    ['with a space before a colon', get('/ip', 'X-Forwarded-For : 8.8.8.8'), 400],
    ['with a header line without a colon', get('/ip', 'nonsense'), 400],
    ['with a header line without a name', get('/ip', ': a'), 400],
    ['with a header line of a colon alone', get('/ip', ':', 'X-Forwarded-For: 8.8.8.8'), 400],
    [
      'with a body behind a header line without a name',
      post(get('/ip?ip=8.8.8.8'), ': a', `Content-Length: ${get('/ip?ip=8.8.8.8').length}`),
      400,
    ],
    ['with a space in a header name', get('/ip', 'X Y: z'), 400],
    ['with NUL in a header value', get('/ip', 'X: a\0b'), 400],
    ['with NUL in a header name', get('/ip', 'X\0: a'), 400],
    ['with NUL in the path', get('/i\0p'), 400],
    ['with a space in the path', get('/a b'), 400],
    ['with tabs for spaces', 'GET\t/ip\tHTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['without a path', 'GET HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['with a path that does not begin with a slash', get('?ip=1.1.1.1'), 400],
    ['in absolute form', get('http://a.example/ip'), 400],
    ['in asterisk form', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['in authority form', 'CONNECT a.example:80 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
    ['of HTTP/0.9', 'GET /ip\r\n\r\n', 400],
    ['of HTTP/1.0', 'GET /ip HTTP/1.0\r\nHost: a\r\n\r\n', 400],
    ['of HTTP/1.2', 'GET /ip HTTP/1.2\r\nHost: a\r\n\r\n', 400],
    ['of HTTP/2 in words', 'GET /ip HTTP/2.0\r\nHost: a\r\n\r\n', 400],
    ['of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0', 400],
    ['of TLS', Buffer.from(`16030100c8010000c40303${'5a'.repeat(193)}`, 'hex'), 400],
    ['of SOCKS', Buffer.from('05010000', 'hex')],
    ['of the PROXY protocol in text', `PROXY TCP4 8.8.8.8 127.0.0.1 1 2\r\n${get('/ip')}`, 400],
    ['of all zeros', Buffer.alloc(1000)],
    ['of all ones', Buffer.alloc(1000, 0xff)],
    ['of a megabyte without a line end', 'A'.repeat(1_000_000)],
    ['with a header line of 17 kB', get('/ip', `X: ${'a'.repeat(17_000)}`), 431],
    ['with a header line of a megabyte', get('/ip', `X: ${'a'.repeat(1_000_000)}`)],
    ['with a header name of 17 kB', get('/ip', `${'a'.repeat(17_000)}: a`), 431],
    ['with two hundred header lines', get('/ip', ...new Array<string>(200).fill('a: b')), 431],
    ['with a path of 18 kB', get(`/${'a'.repeat(18_000)}`), 431],
    ['with a negative Content-Length', post('', 'Content-Length: -1'), 400],
    ['with a Content-Length of text', post('', 'Content-Length: five'), 400],
    ['with a Content-Length in hexadecimal', post('', 'Content-Length: 0x5'), 400],
    ['with two lengths', post('ab', 'Content-Length: 1', 'Content-Length: 2')],
    ['with a Content-Length beyond all bounds', post('', `Content-Length: ${'9'.repeat(23)}`), 400],
    [
      'with Content-Length and chunks',
      post('0\r\n\r\n', 'Content-Length: 3', 'Transfer-Encoding: chunked'),
      400,
    ],
    [
      'with chunks and Content-Length',
      post('0\r\n\r\n', 'Transfer-Encoding: chunked', 'Content-Length: 3'),
      400,
    ],
    ['with chunks that are none', post('zz\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked'), 400],
    ['with a chunk of negative size', post('-5\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked'), 400],
    ['with a chunk beyond all bounds', post(`${'f'.repeat(20)}\r\n`, 'Transfer-Encoding: chunked'), 400],
  ])('%s is answered with 4xx or closed', async (_what, bytes, status) => {
    const { statuses, received } = await exchange(appliance.port, bytes);
    expect(statuses.every((each) => each >= 400 && each < 500)).toBe(true);
    if (status !== undefined) expect(statuses[0]).toBe(status);
    expect(received).not.toContain('8.8.8.8');
    if (received !== '') expect(received).toMatch(/^HTTP\/1\.1 4\d\d [^]*content-type: [^]*\r\n\r\n[^]+\n$/i);
  });

  it.each([
    ['a method in lower case', 'get /ip HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a method that there is not', 'BREW /ip HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a method of other characters', 'G@T! /ip HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a method of a thousand characters', `${'G'.repeat(1000)} /ip HTTP/1.1\r\nHost: a\r\n\r\n`],
    ['a method that writes', post('hello', 'Content-Length: 5')],
    ['a length that never comes', post('', 'Content-Length: 1000000000')],
    ['chunks', post('5\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked')],
    ['Expect', post('', 'Expect: 100-continue', 'Content-Length: 5')],
  ])('%s is answered with 405 and the connection closed', async (_what, bytes) => {
    const { statuses, received } = await exchange(appliance.port, bytes);
    expect(statuses[0]).toBe(405);
    expect(received).toMatch(/\r\nAllow: GET, HEAD, OPTIONS\r\n/);
  });
});

describe('what is said of', () => {
  const fields = (count: number) => get('/ip', close, ...new Array<string>(count - 2).fill('a: b'));

  it('too many header lines, or too long a request line, names both limits', async () => {
    expect((await exchange(appliance.port, fields(98))).statuses).toEqual([200]);
    for (const request of [fields(99), get(`/${'a'.repeat(17_000)}`)]) {
      expect((await exchange(appliance.port, request)).received).toMatch(
        /^HTTP\/1\.1 431 [^]*\r\n\r\nRequest line \+ header: max 16 KiB, 98 fields\.\n$/,
      );
    }
  });

  it.each([
    ['an absolute target', get('http://a.example/ip')],
    ['HTTP/1.0', 'GET /ip HTTP/1.0\r\nHost: a\r\n\r\n'],
  ])('%s is that it is not served', async (_what, bytes) => {
    expect((await exchange(appliance.port, bytes)).received).toMatch(
      /not served: HTTP\/1\.0 \(proxies must speak 1\.1\), a target that does not begin with "\/"\.\n$/,
    );
  });
});

describe('a body that nobody wants', () => {
  const part = Buffer.alloc(30_000, 'a');

  /** Sends the parts of a body behind its head, slower than they are read; what was answered by then, and in the end. */
  async function sendSlowly(
    head: string,
    parts: readonly Uint8Array[],
  ): Promise<{ early: string; answer: string; reset: boolean }> {
    const socket = await connected();
    let reset = false;
    socket.on('error', () => (reset = true));
    const answer = collect(socket);
    send(socket, head);
    for (const each of parts.slice(0, -1)) {
      send(socket, each);
      await wait(5);
    }
    const early = answer();
    send(socket, parts.at(-1)!);
    if (!socket.closed) await once(socket, 'close');
    return { early, answer: answer(), reset };
  }

  it('is read to its end, and answered then', async () => {
    const parts = new Array<Uint8Array>(30).fill(part);
    const { early, answer, reset } = await sendSlowly(post('', 'Content-Length: 900000'), parts);
    expect([early, reset]).toEqual(['', false]);
    expect(statusesIn(answer)[0]).toBe(405);
  });

  it('is read to its end in chunks as well', async () => {
    const chunk = Buffer.concat([Buffer.from('7530\r\n'), part, Buffer.from('\r\n')]);
    const parts = [...new Array<Uint8Array>(30).fill(chunk), Buffer.from('0\r\n\r\n')];
    const { early, answer, reset } = await sendSlowly(post('', 'Transfer-Encoding: chunked'), parts);
    expect([early, reset]).toEqual(['', false]);
    expect(statusesIn(answer)[0]).toBe(405);
  });

  it('of GET is read as well, and the connection closed behind the answer', async () => {
    const parts = new Array<Uint8Array>(30).fill(part);
    const head = get('/ip?ip=8.8.8.8', 'Content-Length: 900000');
    const { early, answer, reset } = await sendSlowly(head, parts);
    expect([early, reset]).toEqual(['', false]);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\nConnection: close\r\n[^]*\r\n\r\n8\.8\.8\.8\n/);
  });

  it.each([
    ['of no bytes', post('', 'Content-Length: 0')],
    ['of no bytes, in the digits of another number', post('', 'Content-Length: 00')],
    ['of no chunks', post('0\r\n\r\n', 'Transfer-Encoding: chunked')],
    ['of some bytes', post('hello', 'Content-Length: 5')],
    ['of chunks', post('5\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked')],
  ])('%s is answered, wherever it is cut in two on its way', async (_what, bytes) => {
    const answers = Array.from({ length: bytes.length - 1 }, async (_, at) => {
      const socket = connect({ port: appliance.port, host: '127.0.0.1', noDelay: true });
      let received = '';
      socket.on('data', (chunk) => (received += String(chunk)));
      await once(socket, 'connect');
      socket.write(bytes.slice(0, at + 1));
      await wait(30);
      socket.write(bytes.slice(at + 1));
      await until('it is answered', () => statusesIn(received)[0] === 405);
      socket.destroy();
    });
    await Promise.all(answers);
  });

  it('is not read beyond 8 MiB', async () => {
    const megabyte = Buffer.concat([Buffer.from('100000\r\n'), Buffer.alloc(1 << 20), Buffer.from('\r\n')]);
    const chunks = await exchange(
      appliance.port,
      Buffer.concat([
        Buffer.from(post('', 'Transfer-Encoding: chunked')),
        ...new Array<Uint8Array>(9).fill(megabyte),
      ]),
    );
    expect(chunks.statuses).toEqual([405]);
    const declared = await exchange(appliance.port, get('/ip', `Content-Length: ${8 * 1024 * 1024 + 1}`));
    expect(declared.statuses).toEqual([200]);
  });

  it('and whose sender goes away harms nobody', async () => {
    const socket = await connected();
    send(socket, post('he', 'Content-Length: 5'));
    await wait(20);
    socket.destroy();
  });
});

describe('a request that is odd', () => {
  it('with an empty Host is answered', async () => {
    expect(
      (await exchange(appliance.port, `GET /ip HTTP/1.1\r\nHost:\r\n${close}\r\n\r\n`)).statuses,
    ).toEqual([200]);
  });

  it('with bytes beyond ASCII in path and header lines is answered', async () => {
    expect((await exchange(appliance.port, get('/\xe9\xff', close))).statuses).toEqual([404]);
    expect(
      (await exchange(appliance.port, get('/ip', 'X: \xe9\xff', 'User-Agent: \xff', close))).statuses,
    ).toEqual([200]);
    const { received, statuses } = await exchange(appliance.port, get('/headers', 'X: \xe9\xff"\\', close));
    expect(statuses).toEqual([200]);
    const body = Buffer.from(received.slice(received.indexOf('\r\n\r\n') + 4), 'latin1').toString();
    expect(JSON.parse(body)).toHaveProperty('x');
  });

  it('with other letters than ASCII at the ends of a value keeps them', async () => {
    const name = Buffer.from('ö日本').toString('latin1');
    const { received } = await exchange(appliance.port, get('/headers', `X:  ${name} `, 'Y: \t a\t', close));
    const body = Buffer.from(received.slice(received.indexOf('\r\n\r\n') + 4), 'latin1').toString();
    expect(JSON.parse(body)).toMatchObject({ x: 'ö日本', y: 'a' });
  });

  it('with a User-Agent in UTF-8 is shown it alike by /json and /headers', async () => {
    const agent = Buffer.from('Fön/1.0 (Zürich)').toString('latin1');
    for (const [path, key] of [
      ['/json', 'user_agent'],
      ['/headers', 'user-agent'],
    ] as const) {
      const { received } = await exchange(appliance.port, get(path, `User-Agent: ${agent}`, close));
      const body = Buffer.from(received.slice(received.indexOf('\r\n\r\n') + 4), 'latin1').toString();
      expect(JSON.parse(body)).toHaveProperty([key], 'Fön/1.0 (Zürich)');
    }
  });

  it('with a body on GET is answered, and its body is not the next request', async () => {
    const body = 'GET /country?ip=8.8.8.8 HTTP/1.1\r\nHost: a\r\n\r\n';
    const { statuses, received } = await exchange(
      appliance.port,
      get('/ip', `Content-Length: ${body.length}`) + body + get('/ip?ip=9.9.9.9', close),
    );
    expect(statuses).toEqual([200, 200]);
    expect(received).not.toContain('United States');
    expect(received).toMatch(/9\.9\.9\.9\n$/);
  });

  it('with chunks on GET is answered, and its body is not the next request', async () => {
    const { statuses, received } = await exchange(
      appliance.port,
      `${get('/ip', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n${get('/ip?ip=9.9.9.9', close)}`,
    );
    expect(statuses).toEqual([200, 200]);
    expect(received).toMatch(/9\.9\.9\.9\n$/);
  });

  it('cannot claim another address by the PROXY protocol in bytes', async () => {
    const proxied = Buffer.from('0d0a0d0a000d0a515549540a2111000c080808087f00000112340050', 'hex');
    const { received } = await exchange(
      appliance.port,
      Buffer.concat([proxied, Buffer.from(get('/ip', close))]),
    );
    expect(received).not.toContain('8.8.8.8');
  });

  it('in single bytes is answered as a whole one', async () => {
    const socket = await connected();
    const answer = collect(socket);
    for (const byte of get('/ip?ip=9.9.9.9', close)) {
      send(socket, byte);
      await wait(1);
    }
    await until('the answer is there', () => answer().endsWith('9.9.9.9\n'));
    expect(answer()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    socket.destroy();
  });
});

describe('connections', () => {
  it('answer fifty requests that were sent at once in order', async () => {
    const addresses = Array.from({ length: 50 }, (_, index) => `9.9.9.${index}`);
    const last = addresses.length - 1;
    const requests = addresses.map((address, at) => get(`/ip?ip=${address}`, ...(at < last ? [] : [close])));
    const { statuses, received } = await exchange(appliance.port, requests.join(''));
    expect(statuses).toEqual(addresses.map(() => 200));
    expect([...received.matchAll(/\r\n\r\n(.*)\n/g)].map(([, body]) => body)).toEqual(addresses);
  });

  it('are closed at nonsense, and what stands behind it is not answered', async () => {
    const { statuses } = await exchange(
      appliance.port,
      `${get('/ip')}${get('/asn?ip=8.8.8.8')}${get('/a b')}${get('/ip')}`,
    );
    expect(statuses.at(-1)).toBe(400);
  });

  it('that close at once harm nobody', async () => {
    for (let count = 0; count < 100; count++) {
      const socket = await connected();
      if (count % 3 === 1) send(socket, get('/json'));
      if (count % 3 === 2) send(socket, get('/whoami').repeat(20));
      if (count % 2 === 0) socket.destroy();
      else socket.resetAndDestroy();
    }
  });

  it('that send half a request and fall silent are closed, and hold nobody up', async () => {
    const beginnings = [
      '',
      'G',
      'SSH-2.0-OpenSSH_9.6\r\n',
      'GET /ip HTTP/1.1\r\nHost: a',
      get('/ip').slice(0, -2),
      post('he', 'Content-Length: 5'),
    ];
    const startedAt = performance.now();
    const silent = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const socket = await connected();
        send(socket, beginnings[index % beginnings.length]!);
        return socket;
      }),
    );
    const closed = Promise.all(
      silent.map(async (socket) => {
        const answer = collect(socket);
        if (!socket.closed) await once(socket, 'close');
        expect(statusesIn(answer()).every((status) => status >= 400 && status < 500)).toBe(true);
        return performance.now() - startedAt;
      }),
    );
    for (let count = 0; count < 300; count++) {
      const response = await fetch(`${appliance.url}/ip?ip=9.9.9.9`);
      expect(await response.text()).toBe('9.9.9.9\n');
    }
    expect(Math.max(...(await closed))).toBeLessThan(25_000);
  });
});

async function connected(): Promise<Socket> {
  const socket = connect(appliance.port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** All that a socket receives from now on. */
function collect(socket: Socket): () => string {
  let received = '';
  socket.on('data', (chunk) => (received += chunk.toString('latin1')));
  return () => received;
}
