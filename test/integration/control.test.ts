import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exitCodes, Failure } from '../../src/core/errors.ts';
import { connectToService } from '../../src/supervisor/control-client.ts';
import type { ServiceControl, ServiceStatus } from '../../src/supervisor/control-messages.ts';
import { type Control, startControl } from '../../src/supervisor/control.ts';
import { until } from '../support/until.ts';

const everything = { force: false, domain: undefined, dryRun: false };
const never = new AbortController().signal;
const status: ServiceStatus = {
  version: '1.2.3',
  pid: 42,
  startedAt: 1_000,
  listenHost: '::',
  httpPort: 80,
  workers: [{ pid: 43, startedAt: 2_000, restarts: 1 }],
  certificates: [{ names: ['a.example'] }],
};

let folder: string;
let runDir: string;
let control: Control | undefined;
const children: ChildProcess[] = [];
const logged: string[] = [];
const log = {
  debug() {},
  info() {},
  warn: (_fields: object, message: string) => void logged.push(message),
  error: (_fields: object, message: string) => void logged.push(message),
  debugging: false,
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'appliance-control-'));
  runDir = join(folder, 'run');
  logged.length = 0;
});
afterEach(async () => {
  await control?.close();
  control = undefined;
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

async function start(handlers: Partial<ServiceControl> = {}, where = runDir): Promise<void> {
  control = await startControl({
    folder: where,
    log,
    handlers: {
      status: async () => status,
      renewCerts: async () => [],
      importCertificate: async () => ({}),
      upgrade: () => Promise.reject(new Error('not asked for')),
      ...handlers,
    },
  });
}

/** A service in a process of its own, by its socket. */
async function startProcess(where = runDir): Promise<ChildProcess> {
  const script = join(import.meta.dirname, '..', 'support', 'control-process.ts');
  const child = spawn(process.execPath, [script, where], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  await once(child.stdout, 'data');
  return child;
}

const service = (where = runDir) => connectToService<object, object>(where);
const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

/** Sends bytes as they are; what came back until the other side closed. */
async function raw(bytes: string, { end = false } = {}): Promise<string> {
  const socket = connect(join(runDir, 'control.sock'));
  let answer = '';
  socket.on('data', (chunk) => (answer += String(chunk)));
  socket.write(bytes);
  if (end) socket.end();
  await once(socket, 'close');
  return answer;
}

describe('the control socket', () => {
  it("lies in a folder of its owner alone, is its owner's alone, and goes with the service", async () => {
    await start();
    const path = join(runDir, 'control.sock');
    expect([statSync(runDir).mode & 0o777, statSync(path).mode & 0o777]).toEqual([0o700, 0o600]);
    await control?.close();
    control = undefined;
    expect(existsSync(path)).toBe(false);
  });

  it('has the same rights whatever the umask', async () => {
    const before = process.umask(0);
    try {
      await start();
    } finally {
      process.umask(before);
    }
    expect(statSync(join(runDir, 'control.sock')).mode & 0o777).toBe(0o600);
    expect(process.umask()).toBe(before);
  });

  it('works below a path that is too long for a socket', async () => {
    const long = join(folder, 'x'.repeat(200), 'run');
    await start({}, long);
    expect(await service(long).status()).toEqual(status);
    await control?.close();
    control = undefined;
    expect(existsSync(join(long, 'control.sock'))).toBe(false);
  });

  it('is replaced where a killed service left it', async () => {
    const child = await startProcess();
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(existsSync(join(runDir, 'control.sock'))).toBe(true);
    await start();
    expect(await service().status()).toEqual(status);
  });

  it('is left to a service that is alive, which goes on answering', async () => {
    const child = await startProcess();
    const failure = await failureOf(start());
    expect(failure).toMatchObject({ code: 'control-taken', remedy: expect.stringContaining('APP_RUN_DIR') });
    expect((await service().status()).pid).toBe(child.pid);
  });

  it('does not go where a file is in the way', async () => {
    mkdirSync(runDir);
    writeFileSync(join(runDir, 'control.sock'), 'precious');
    expect(await failureOf(start())).toMatchObject({ code: 'control-blocked' });
    expect(statSync(join(runDir, 'control.sock')).size).toBe(8);
  });

  it('does not go where everybody may put another in its place', async () => {
    mkdirSync(runDir);
    chmodSync(runDir, 0o777);
    expect(await failureOf(start())).toMatchObject({ code: 'control-unsafe' });
    chmodSync(runDir, 0o755);
    if (process.getuid?.() === 0) {
      chownSync(runDir, 65_534, 65_534);
      expect(await failureOf(start())).toMatchObject({ code: 'control-unsafe' });
      chownSync(runDir, 0, 0);
    }
    await start();
  });

  it('says which folder it could not make', async () => {
    writeFileSync(join(folder, 'file'), '');
    const failure = await failureOf(start({}, join(folder, 'file', 'run')));
    expect(failure).toMatchObject({ code: 'control-unusable', message: expect.stringContaining('file/run') });
  });
});

describe('a request', () => {
  it('gives what the service knows', async () => {
    await start();
    expect(await service().status()).toEqual(status);
  });

  it('carries its options, its progress in order, and its result', async () => {
    const seen: unknown[] = [];
    const outcomes = [{ names: ['ä.example'], result: 'issued' }];
    await start({
      async renewCerts(options, progress) {
        seen.push(options);
        for (const step of ['one', 'two', 'three\nlines']) progress(step);
        return outcomes;
      },
    });
    const steps: string[] = [];
    const options = { force: true, domain: 'a.example', dryRun: true };
    expect(await service().renewCerts(options, (step) => steps.push(step), never)).toEqual(outcomes);
    expect(steps).toEqual(['one', 'two', 'three\nlines']);
    expect(seen).toEqual([options]);
  });

  it('carries a chain and its key as they are', async () => {
    const pair = { chain: `${'c'.repeat(50_000)}\n`, key: 'key\n' };
    await start({ importCertificate: async (given) => given });
    expect(await service().importCertificate(pair)).toEqual(pair);
  });

  it('fails as it failed in the service', async () => {
    await start({
      renewCerts: () =>
        Promise.reject(
          new Failure('locked', {
            code: 'locked',
            remedy: 'wait',
            retryable: true,
            exitCode: exitCodes.locked,
            cause: new Error('held', { cause: new Error('by another') }),
          }),
        ),
    });
    const failure = await failureOf(service().renewCerts(everything, () => {}, never));
    expect(failure).toBeInstanceOf(Failure);
    expect(failure).toMatchObject({
      message: 'locked',
      code: 'locked',
      remedy: 'wait',
      retryable: true,
      exitCode: 5,
      cause: { message: 'held', cause: { message: 'by another' } },
    });
  });

  it('that meets a fault of the service says so, and the log has it', async () => {
    await start({ status: () => Promise.reject(new TypeError('x is not a function')) });
    const failure = await failureOf(service().status());
    expect(failure).toMatchObject({ message: 'x is not a function', exitCode: 1 });
    expect((failure as Failure).remedy).toContain('log');
    expect(logged).toEqual(['a fault']);
  });

  it('is answered while a renewal runs', async () => {
    const end = Promise.withResolvers<readonly object[]>();
    await start({ renewCerts: () => end.promise });
    const renewal = service().renewCerts(everything, () => {}, never);
    for (let round = 0; round < 20; round++) expect(await service().status()).toEqual(status);
    end.resolve([{}]);
    expect(await renewal).toEqual([{}]);
  });

  it('goes on in the service when whoever asked leaves', async () => {
    const end = Promise.withResolvers<readonly object[]>();
    let signalOfRun: AbortSignal | undefined;
    let progressOfRun: ((step: string) => void) | undefined;
    await start({
      renewCerts(_options, progress, signal) {
        signalOfRun = signal;
        progressOfRun = progress;
        progress('started');
        return end.promise;
      },
    });
    const leaving = new AbortController();
    const reason = new Error('enough');
    const renewal = service().renewCerts(everything, () => leaving.abort(reason), leaving.signal);
    expect(await failureOf(renewal)).toBe(reason);
    expect(signalOfRun?.aborted).toBe(false);
    for (let step = 0; step < 10; step++) progressOfRun?.('to nobody');
    end.resolve([]);
    expect(await service().status()).toEqual(status);
    expect(logged).toEqual([]);
  });

  it('is answered when it asks for the status and the service is stopped meanwhile', async () => {
    const asked = Promise.withResolvers<void>();
    const told = Promise.withResolvers<ServiceStatus>();
    await start({
      status() {
        asked.resolve();
        return told.promise;
      },
    });
    const answer = service().status();
    await asked.promise;
    const closed = control?.close();
    told.resolve(status);
    expect(await answer).toEqual(status);
    await closed;
    control = undefined;
  });

  it('ends in words when the service is stopped, and the run is told', async () => {
    let signalOfRun: AbortSignal | undefined;
    await start({
      renewCerts(_options, progress, signal) {
        signalOfRun = signal;
        progress('started');
        return new Promise(() => {});
      },
    });
    const renewal = service().renewCerts(everything, () => void control?.close(), never);
    expect(await failureOf(renewal)).toMatchObject({
      code: 'service-ended',
      exitCode: 6,
      message: expect.stringContaining('stopped'),
    });
    expect(signalOfRun?.aborted).toBe(true);
    control = undefined;
  });

  it('ends in words when the service is killed', async () => {
    const child = await startProcess();
    const renewal = service().renewCerts(everything, () => child.kill('SIGKILL'), never);
    expect(await failureOf(renewal)).toMatchObject({ code: 'service-ended', exitCode: 6 });
  });

  it('finds no service: there is no folder, no socket, or nobody behind it', async () => {
    const notRunning = {
      code: 'not-running',
      exitCode: 6,
      remedy: expect.stringContaining('systemctl start'),
    };
    expect(await failureOf(service().status())).toMatchObject(notRunning);
    mkdirSync(runDir);
    expect(await failureOf(service().status())).toMatchObject(notRunning);
    const child = await startProcess();
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await failureOf(service().status())).toMatchObject(notRunning);
    const long = join(folder, 'x'.repeat(200));
    expect(await failureOf(service(long).status())).toMatchObject(notRunning);
  });
});

describe('bad input on the control socket', () => {
  const malformed = /"failure":\{.*"code":"request-malformed"/;

  it.each([
    ['no JSON', 'hello\n'],
    ['no object', '[]\n'],
    ['null', 'null\n'],
    ['an empty line', '\n'],
    ['a command that nobody knows', '{"command":"rm"}\n'],
    ["a name of an object's own", '{"command":"__proto__"}\n'],
    ['options of another type', '{"command":"renew-certs","options":{"force":"yes","dryRun":false}}\n'],
    ['no options', '{"command":"renew-certs"}\n'],
    ['a key that is no text', '{"command":"import-certificate","pair":{"chain":"x","key":1}}\n'],
    ['bytes that are no text', '\u0000\uffff\u0001\n'],
  ])('is answered: %s', async (_what, bytes) => {
    await start();
    expect(await raw(bytes)).toMatch(malformed);
    expect(await service().status()).toEqual(status);
  });

  it('is answered when only half a request came', async () => {
    await start();
    expect(await raw('{"command":"sta', { end: true })).toMatch(malformed);
    expect(await raw('', { end: true })).toMatch(malformed);
  });

  it('is answered when it is a million bytes, with or without an end', async () => {
    await start();
    const million = 'x'.repeat(1_000_000);
    expect(await raw(million)).toMatch(malformed);
    expect(await raw(`{"command":"status","more":"${million}"}\n`)).toMatch(malformed);
    expect(await service().status()).toEqual(status);
  });

  it('does not matter behind a good line', async () => {
    await start();
    expect(await raw('{"command":"status"}\nrubbish\n')).toBe(`${JSON.stringify({ result: status })}\n`);
  });

  it('may come in pieces, and one half may be closed', async () => {
    await start();
    const socket = connect(join(runDir, 'control.sock'));
    let answer = '';
    socket.on('data', (chunk) => (answer += String(chunk)));
    for (const piece of ['{"comm', 'and":"sta', 'tus"}', '\n']) {
      await new Promise((resolve) => socket.write(piece, resolve));
    }
    socket.end();
    await once(socket, 'close');
    expect(JSON.parse(answer)).toEqual({ result: status });
  });

  it('of callers that leave at any point leaves nothing behind', async () => {
    await start({ renewCerts: async (_options, progress) => (progress('x'.repeat(100_000)), []) });
    const request = '{"command":"renew-certs","options":{"force":false,"dryRun":false}}\n';
    for (let length = 0; length <= request.length; length += 3) {
      const socket = connect(join(runDir, 'control.sock'));
      socket.on('error', () => {});
      await new Promise((resolve) => socket.write(request.slice(0, length), resolve));
      socket.destroy();
    }
    await until('the service answers', async () => (await service().status()).pid === 42);
    expect(logged).toEqual([]);
  });
});
