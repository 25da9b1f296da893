import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';
import type { Contestant } from './contest.ts';
import { childrenOf, startPinned } from './pinned-process.ts';
import { expectSameAnswer, type SampleAnswer } from './sample-answer.ts';
import { scratchFolder } from './scratch.ts';

/** nginx with one worker that gives one answer to everything: the least that it can do for a request. */
export async function startNginx(answer: SampleAnswer, core: number): Promise<Contestant> {
  const folder = scratchFolder();
  const port = await freePort();
  mkdirSync(join(folder, 'logs'));
  const path = join(folder, 'nginx.conf');
  writeFileSync(path, configuration(folder, port, answer));
  const nginx = startPinned('nginx', ['-p', folder, '-c', path, '-e', join(folder, 'error.log')], { core });
  const origin = `http://127.0.0.1:${port}`;
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

function configuration(folder: string, port: number, { body, headers }: SampleAnswer): string {
  const type = headers.find(([name]) => name === 'content-type')?.[1] ?? 'text/plain';
  const others = headers.filter(([name]) => name !== 'content-type');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `daemon off;
worker_processes 1;
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
    listen 127.0.0.1:${port} backlog=1024;
    ${others.map(([name, value]) => `add_header ${name} ${quoted(value)};`).join('\n    ')}
    return 200 ${quoted(body)};
  }
}
`;
}

/** A dollar sign would name a variable, and there is no way to write one out. */
function quoted(text: string): string {
  if (text.includes('$')) throw new Error(`nginx cannot return a text with a dollar sign: ${text}`);
  const escaped = text.replaceAll(/["\\]/g, String.raw`\$&`).replaceAll('\n', String.raw`\n`);
  return `"${escaped}"`;
}
