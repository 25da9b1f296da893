import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Appliance, applianceCommand, startAppliance } from '../support/appliance.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';

interface Report {
  readonly schema: number;
  readonly well: boolean;
  readonly counts: Readonly<Record<string, number>>;
  readonly checks: readonly { name: string; state: string; words: string; remedy?: string }[];
}

let folder: string;
let environment: Record<string, string>;
let appliance: Appliance;

function run(...args: readonly string[]) {
  const [file, ...leading] = applianceCommand();
  const { status, stdout, stderr } = spawnSync(file, [...leading, 'doctor', ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, ...environment },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

/** The report of these checks alone, with the exit code. */
function ask(...names: readonly string[]) {
  const { status, stdout, stderr } = run('--json', ...names.flatMap((name) => ['--only', name]));
  expect(stderr).toBe('');
  return { status, ...(JSON.parse(stdout) as Report) };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'appliance-doctor-'));
  environment = {
    APP_HTTP_PORT: String(await freePort()),
    APP_HTTPS_PORT: String(await freePort()),
    APP_DATA_DIR: join(folder, 'data'),
    APP_RUN_DIR: join(folder, 'run'),
    CERT_DOMAIN: 'a.test',
    CERT_EMAIL: 'a@a.test',
    // nobody is there
    CERT_DIRECTORY_URL: 'https://127.0.0.1:9/dir',
  };
  mkdirSync(join(folder, 'data'), { mode: 0o700 });
  appliance = await startAppliance({ folder, environment, port: Number(environment['APP_HTTP_PORT']) });
  await until('it listens for commands', () => ask('control-socket').status === 0);
});
afterAll(async () => {
  await appliance?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('doctor, beside a service that runs', () => {
  it('asks several checks alone, and tells scripts in a form that stays', () => {
    expect(ask('service', 'http-answer', 'http-port')).toEqual({
      status: 0,
      schema: 1,
      well: true,
      counts: { ok: 3, warning: 0, failed: 0, skipped: 0 },
      checks: [
        {
          name: 'service',
          title: 'service',
          state: 'ok',
          words: expect.stringMatching(/^release \S+ runs with \d+ workers?$|with a worker$/) as string,
        },
        { name: 'http-answer', title: 'answer over HTTP', state: 'ok', words: 'the service is ready' },
        expect.objectContaining({ name: 'http-port', state: 'ok' }),
      ],
    });
  });

  it('finds that a stand-in is shown, because the authority could not be reached', async () => {
    await until('it was tried', () => ask('certificate-renewal').counts['warning'] === 1);
    const { status, checks } = ask('certificate-stand-in', 'https-answer', 'certificate-renewal');
    expect(status).toBe(3);
    expect(checks).toMatchObject([
      { name: 'https-answer', state: 'failed', words: 'a.test: a self-signed one is shown' },
      { state: 'failed', remedy: 'sudo appliance renew-certs --domain a.test' },
      { state: 'warning', words: expect.stringContaining('a.test: ') as string },
    ]);
  });

  it('finds that others may use the control socket, or look into its folder', () => {
    chmodSync(join(folder, 'run'), 0o755);
    chmodSync(join(folder, 'run', 'control.sock'), 0o666);
    expect(ask('run-folder', 'control-socket').checks).toMatchObject([
      { state: 'failed', remedy: expect.stringContaining(`chmod 0700 ${folder}/run`) as string },
      { state: 'failed', remedy: `sudo chmod 0600 ${folder}/run/control.sock` },
    ]);
    chmodSync(join(folder, 'run'), 0o700);
    chmodSync(join(folder, 'run', 'control.sock'), 0o600);
    expect(ask('run-folder', 'control-socket').status).toBe(0);
  });

  it('gives a line to what is well, and more to what is not, on 80 columns and without colours', () => {
    const { status, stdout, stderr } = run();
    expect([status, stderr]).toEqual([3, '']);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.filter((line) => line.length > 80 && !/\/\S{50,}/.test(line))).toEqual([]);
    expect(stdout).not.toContain('\u001b');
    expect(lines).toContain('ok    http-answer           the service is ready');
    expect(stdout).toMatch(
      /^FAIL {2}certificate-stand-in {2}stand-ins\n {6}a\.test: .*\n(.*\n)? {3}→ {2}sudo /m,
    );
    expect(lines.at(-1)).toMatch(/^\d+ failed, \d+ warnings, \d+ well, \d+ skipped$/);
  });

  it('leaves out what is ignored, and refuses a name that no check has', () => {
    const { stdout } = run('--ignore', 'certificate-stand-in,https-answer', '--ignore=journal', '--json');
    const names = (JSON.parse(stdout) as Report).checks.map(({ name }) => name);
    expect(names).toContain('http-answer');
    expect(names).not.toContain('https-answer');
    expect(names).not.toContain('journal');
    expect(run('--only', 'htp-answer')).toEqual({
      status: 2,
      stdout: '',
      stderr: 'error: there is no check "htp-answer"\nto do: did you mean http-answer?\n',
    });
  });
});

describe('doctor, where no service runs', () => {
  it('finds that, and who holds the port instead', async () => {
    await appliance.stop();
    const squatter = createServer().listen(Number(environment['APP_HTTP_PORT']), '127.0.0.1');
    await once(squatter, 'listening');
    const { status, checks } = ask('service', 'http-answer', 'http-port', 'certificate-stand-in');
    squatter.close();
    expect(status).toBe(3);
    expect(checks).toMatchObject([
      { name: 'service', state: 'failed', remedy: 'start it: appliance serve' },
      { name: 'http-answer', state: 'skipped' },
      { name: 'certificate-stand-in', state: 'failed' },
      {
        name: 'http-port',
        state: 'failed',
        words: expect.stringContaining(`(process ${process.pid})`) as string,
      },
    ]);
  });

  it('finds a configuration that is not valid, and goes on as far as it can', () => {
    const before = environment;
    environment = { ...environment, APP_WORKERS: 'many' };
    const { checks } = ask('configuration', 'data-folder');
    environment = before;
    expect(checks).toMatchObject([
      {
        name: 'configuration',
        state: 'failed',
        words: expect.stringContaining('APP_WORKERS') as string,
        remedy: 'sudo appliance config check',
      },
      { name: 'data-folder', state: 'ok' },
    ]);
  });
});
