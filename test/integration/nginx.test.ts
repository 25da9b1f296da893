import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAppliance, type Appliance } from '../support/appliance.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';

let appliance: Appliance;
let nginx: ChildProcess;
let front: string;

beforeAll(async () => {
  appliance = await startAppliance({
    environment: { APP_WORKERS: '1', APP_TRUSTED_PROXIES: '127.0.0.1/32' },
  });
  const port = await freePort();
  front = `http://127.0.0.1:${port}`;
  const readme = readFileSync(join(import.meta.dirname, '..', '..', 'README.md'), 'utf8');
  const location = /```nginx\n([^]*?)```/.exec(readme)![1]!.replace('8080', String(appliance.port));
  const { folder } = appliance;
  const file = join(folder, 'nginx.conf');
  writeFileSync(
    file,
    `user root; daemon off; pid ${folder}/nginx.pid; worker_processes 1; events {}
http {
  access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  server { listen 127.0.0.1:${port}; ${location} }
}`,
  );
  nginx = spawn('nginx', ['-p', folder, '-c', file, '-e', join(folder, 'nginx.log')], { stdio: 'ignore' });
  await until('nginx answers', () =>
    fetch(front).then(
      () => true,
      () => false,
    ),
  );
});

afterAll(async () => {
  nginx.kill();
  await once(nginx, 'close');
  await appliance.stop();
});

describe('behind nginx, as the README sets it up', () => {
  it('a body of 900 kB that nobody wants is answered with 405, not with 502', async () => {
    for (let count = 0; count < 30; count++) {
      const response = await fetch(`${front}/ip`, { method: 'POST', body: Buffer.alloc(900_000) });
      expect(response.status).toBe(405);
      await response.text();
    }
    expect(readFileSync(join(appliance.folder, 'nginx.log'), 'utf8')).not.toContain('[error]');
  });
});
