// The way of a throw-away host to Debian's packages, run as a program: a proxy for apt at an address, which leads to the
// servers of the base's own sources and nowhere else. It prints its port, and ends when its standard input does.
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';

const [address = '', base = ''] = process.argv.slice(2);

const sources = globSync('etc/apt/{sources.list,sources.list.d/*}', { cwd: base });
const text = sources.map((file) => readFileSync(join(base, file), 'utf8')).join('\n');
const servers = new Set([...text.matchAll(/https?:\/\/[^\s/]+/g)].map(([url]) => new URL(url).host));

/** The proxy that this machine's own apt goes through, if any. */
function proxyFor(scheme: 'http' | 'https'): URL | undefined {
  const found = execFileSync('apt-config', ['shell', 'PROXY', `Acquire::${scheme}::Proxy`], {
    encoding: 'utf8',
  });
  const [, url = 'DIRECT'] = /^PROXY='(.*)'$/m.exec(found) ?? [];
  return url === 'DIRECT' || url === '' ? undefined : new URL(url);
}
const proxies = { http: proxyFor('http'), https: proxyFor('https') };

function credentials({ username, password }: URL): Record<string, string> {
  if (username === '') return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}

function hand(asked: IncomingMessage, answer: ServerResponse): void {
  const url = URL.canParse(asked.url ?? '') ? new URL(asked.url!) : undefined;
  if (url === undefined || !servers.has(url.host)) {
    answer.writeHead(403).end('not a server of packages\n');
    return;
  }
  const { method, headers } = asked;
  const by = proxies.http;
  const way = by ?? url;
  const sent = request({
    method,
    host: way.hostname,
    port: way.port || 80,
    path: by === undefined ? url.pathname + url.search : url.href,
    headers: { ...headers, host: url.host, ...(by === undefined ? {} : credentials(by)) },
  });
  sent.on('response', (got) => {
    answer.writeHead(got.statusCode ?? 502, got.headers);
    got.pipe(answer);
  });
  sent.on('error', (error) =>
    answer.headersSent ? answer.destroy() : answer.writeHead(502).end(error.message),
  );
  asked.pipe(sent);
}

function tunnel(asked: IncomingMessage, client: Socket): void {
  const target = asked.url ?? '';
  client.on('error', () => client.destroy());
  if (!servers.has(target.replace(/:443$/, ''))) {
    client.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    return;
  }
  const by = proxies.https;
  const [host = '', port = '443'] = target.split(':');
  const way = by === undefined ? connect(Number(port), host) : connect(Number(by.port || 80), by.hostname);
  way.on('error', () => client.destroy());
  way.once('connect', () => {
    const lines = Object.entries(by === undefined ? {} : credentials(by)).map(
      (pair) => `${pair.join(': ')}\r\n`,
    );
    // the other proxy's answer is the client's
    if (by === undefined) client.write('HTTP/1.1 200 OK\r\n\r\n');
    else way.write(`CONNECT ${target} HTTP/1.1\r\nhost: ${target}\r\n${lines.join('')}\r\n`);
    client.pipe(way).pipe(client);
  });
}

const server = createServer(hand).on('connect', tunnel);
server.listen(0, address, () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
process.stdin.on('end', () => process.exit()).resume();
