import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';
import type { BenchCertificate } from './certificate.ts';
import type { Contestant } from './contest.ts';
import { childrenOf, startPinned } from './pinned-process.ts';
import { expectSameAnswer, type SampleAnswer } from './sample-answer.ts';
import { scratchFolder } from './scratch.ts';

interface NginxOptions {
  readonly core?: number;
  /** One where none is said. */
  readonly workers?: number;
  /** Serves over TLS with it, and not over plain HTTP. */
  readonly certificate?: BenchCertificate;
}

/** nginx that gives one answer to everything: the least that it can do for a request. */
export async function startNginx(answer: SampleAnswer, options: NginxOptions): Promise<Contestant> {
  const { core, certificate } = options;
  const folder = scratchFolder();
  const port = await freePort();
  mkdirSync(join(folder, 'logs'));
  const path = join(folder, 'nginx.conf');
  writeFileSync(path, configuration(folder, port, answer, options));
  const args = ['-p', folder, '-c', path, '-e', join(folder, 'error.log')];
  const nginx = startPinned('nginx', args, core === undefined ? {} : { core });
  const origin = `${certificate === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  await until('nginx answers', () =>
    fetch(origin).then(
      (response) => response.ok,
      () => false,
    ),
  );
  await expectSameAnswer(origin, answer);
  return {
    name: 'nginx',
    origin,
    pid: childrenOf(nginx.pid)[0]!,
    stop: () => nginx.stop(),
  };
}

function configuration(
  folder: string,
  port: number,
  { body, headers }: SampleAnswer,
  { workers = 1, certificate }: NginxOptions,
): string {
  const type = headers.find(([name]) => name === 'content-type')?.[1] ?? 'text/plain';
  const others = headers.filter(([name]) => name !== 'content-type');
  const tls =
    certificate === undefined
      ? []
      : [
          `ssl_certificate ${certificate.chainFile};`,
          `ssl_certificate_key ${certificate.keyFile};`,
          tlsVersions,
        ];
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off;
worker_processes ${workers};
pid ${folder}/nginx.pid;
error_log ${folder}/error.log warn;
events { worker_connections 1024; }
http {
  access_log off;
  server_tokens off;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  ${temporary.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join('\n  ')}
  types {}
  default_type ${quoted(type)};
  server {
    listen 127.0.0.1:${port}${certificate === undefined ? '' : ' ssl'} backlog=1024;
    ${tls.join('\n    ')}
    ${others.map(([name, value]) => `add_header ${name} ${quoted(value)};`).join('\n    ')}
    return 200 ${quoted(body)};
  }
}
`;
}

const tlsVersions = 'ssl_protocols TLSv1.2 TLSv1.3;';

/** A dollar sign would name a variable, and there is no way to write one out. */
function quoted(text: string): string {
  if (text.includes('$')) throw new Error(`nginx cannot return a text with a dollar sign: ${text}`);
  const escaped = text.replaceAll(/["\\]/g, String.raw`\$&`).replaceAll('\n', String.raw`\n`);
  return `"${escaped}"`;
}
