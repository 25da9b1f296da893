import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { freshDebianRoot, type DebianRoot, type RunResult } from '../support/debian-root.ts';

const root = join(import.meta.dirname, '../..');
const minuteMs = 60_000;
const browser =
  "-A 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' " +
  "-H 'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'";

/** Starts, asks as three kinds of callers do, stops; every answer in a file. */
const serveAndAsk = `
set -u
cd /root/appliance && mkdir -p /root/answers
node --version; npm --version
at=http://127.0.0.1:$APP_HTTP_PORT
npm start >/root/answers/log 2>&1 &
server=$!
until curl -fso /dev/null $at/health/ready; do
  kill -0 $server 2>/dev/null || { echo 'npm start ended:'; cat /root/answers/log; exit 1; }
  sleep 0.5
done
curl -s -H 'X-Forwarded-For: 8.8.8.8' $at/whoami/ >/root/answers/whoami
curl -s 127.0.0.1:$APP_HTTP_PORT >/root/answers/bare
curl -si ${browser} $at/ >/root/answers/page
node build/setup.mjs >/root/answers/again 2>&1
kill -TERM $server; wait $server
for _ in $(seq 40); do curl -so /dev/null $at/health/live || exit 0; sleep 0.25; done
echo 'the port still answers 10 s after SIGTERM'; exit 1
`;

function filesOfCheckout(): string[] {
  const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'];
  const listed = execFileSync('git', args, { cwd: root, encoding: 'utf8' }).split('\0');
  return listed.filter((file) => file !== '' && (existsSync(join(root, file)) || isLink(join(root, file))));
}

const isLink = (file: string) => lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true;

const print = (line: string) => console.log(`  │ ${line}`);

describe("a fresh Debian 13 with the distribution's Node", () => {
  let debian: DebianRoot;
  let served: RunResult;

  beforeAll(async () => {
    debian = await freshDebianRoot(print);
    for (const file of filesOfCheckout()) debian.put(join(root, file), `root/appliance/${file}`);
    print('npm start in the fresh root …');
    // the root shares the machine's network
    const env = { APP_HTTP_PORT: String(await freePort()) };
    served = await debian.run(serveAndAsk, { env, timeoutMs: 10 * minuteMs, print });
  });

  afterAll(() => debian?.remove());

  it('serves after npm start alone, and stops when told to', () => {
    expect(served).toMatchObject({ exitCode: 0 });
  });

  it('tells where an address lies, from real data', () => {
    const answer = JSON.parse(debian.read('root/answers/whoami')) as Record<string, string>;
    expect(answer).toMatchObject({ IP: '8.8.8.8', COUNTRY_NAME: 'United States' });
    expect(answer['AUTONOMOUS_SYSTEM_ORGANIZATION']).toMatch(/google/i);
  });

  it('gives curl the bare address', () => {
    expect(debian.read('root/answers/bare')).toBe('127.0.0.1\n');
  });

  it('gives a browser a page', () => {
    const [head = '', body = ''] = debian.read('root/answers/page').split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 200/);
    expect(head).toMatch(/^content-type: text\/html/im);
    expect(body).toMatch(/<!doctype html>/i);
  });

  it('repeats no set-up that is done, and says nothing of it', () => {
    expect(debian.read('root/answers/again')).toBe('');
  });

  it(
    'passes npm test',
    async () => {
      const { exitCode, output } = await debian.run('cd /root/appliance && exec npm test', {
        timeoutMs: 120 * minuteMs,
        print,
      });
      const lines = output.trim().split('\n');
      // what failed in there is said once more out here, where a reader looks
      expect(lines.filter((line) => /^\s*(FAIL|AssertionError|\w*Error:)/.test(line))).toEqual([]);
      expect(lines.at(-1)).toMatch(/^[1-9]\d* passed, 0 failed, \d+ skipped$/);
      expect(exitCode).toBe(0);
    },
    125 * minuteMs,
  );
});
