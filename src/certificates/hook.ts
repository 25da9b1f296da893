import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:fs';
import { access, realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, isAbsolute } from 'node:path';
import { Failure, reasonOf } from '../core/errors.ts';
import { startProgram } from '../core/start-program.ts';

/** A program of the owner's (`CERT_HOOK`, `CERT_DNS_HOOK`), and what it is called with. */
export interface HookRun {
  /** Absolute path. */
  readonly file: string;
  readonly arguments: readonly string[];
  /** Beside PATH and HOME; the program sees nothing else of this process's environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Ends the program and rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

const maxOutputBytes = 64 * 1024;
/** Between SIGTERM and SIGKILL. */
const graceMs = 5000;
/** For output of a child that left the group and keeps the pipe open. */
const drainMs = 1000;
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Runs a hook without a shell, in a process group of its own that ends with it. Resolves with its standard output,
 * at most 64 KiB, without the white space at the end. Rejects with a Failure: `hook-unsafe` (see `checkHook`),
 * `hook-timeout`, `hook-failed` with the last lines that it wrote.
 */
export async function runHook(run: HookRun): Promise<string> {
  run.signal.throwIfAborted();
  await checkHook(run.file);
  const child = startProgram(run.file, run.arguments, {
    cwd: '/',
    detached: true,
    env: {
      PATH: process.env['PATH'] ?? defaultPath,
      HOME: process.env['HOME'] ?? homedir(),
      ...run.environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stdout = collect(child.stdout);
  const stderr = collect(child.stderr);
  const { promise: ended, resolve } = Promise.withResolvers<Ending>();
  child.once('error', (error) => resolve({ how: `could not be started: ${reasonOf(error)}` }));
  child.once('close', (status, signal) =>
    resolve({ how: signal === null ? `ended with status ${status}` : `was ended by ${signal}`, status }),
  );
  // What it left running must not outlive it, nor hold its output open.
  child.once('exit', () => {
    endGroup(child, 'SIGKILL');
    setTimeout(() => (child.stdout?.destroy(), child.stderr?.destroy()), drainMs).unref();
  });

  let stopped: 'timeout' | 'aborted' | undefined;
  let lastResort: NodeJS.Timeout | undefined;
  const stop = (why: 'timeout' | 'aborted') => {
    stopped ??= why;
    endGroup(child, 'SIGTERM');
    lastResort ??= setTimeout(() => endGroup(child, 'SIGKILL'), graceMs);
  };
  const onAbort = () => stop('aborted');
  run.signal.addEventListener('abort', onAbort, { once: true });
  const limit = setTimeout(() => stop('timeout'), run.timeoutMs);
  const ending = await ended;
  clearTimeout(limit);
  clearTimeout(lastResort);
  run.signal.removeEventListener('abort', onAbort);

  if (stopped === 'aborted') throw run.signal.reason;
  const call = [run.file, ...run.arguments].join(' ');
  if (stopped === 'timeout') {
    throw new Failure(`The hook ${call} was not done within ${run.timeoutMs / 1000} seconds and was ended.`, {
      code: 'hook-timeout',
      remedy: 'Run it by hand to see what it waits for.',
      retryable: true,
    });
  }
  if (ending.status === 0) return stdout().trimEnd();
  const said = lastLines(stderr()) || lastLines(stdout());
  throw new Failure(`The hook ${call} ${ending.how}${said === '' ? ', and said nothing.' : `:\n${said}`}`, {
    code: 'hook-failed',
    remedy: 'Run it by hand as the user of the service to see why.',
    retryable: true,
  });
}

interface Ending {
  readonly how: string;
  readonly status?: number | null;
}

/**
 * A hook is code that this process runs: only root, or the user whom this process runs as, may be able to write it
 * or to put another in its place. Rejects with a Failure `hook-unsafe` that says which path is wrong and how.
 */
async function checkHook(file: string): Promise<void> {
  if (!isAbsolute(file)) {
    throw unsafe(`${file} is no absolute path.`, 'Give the whole path, from the first slash on.');
  }
  let path: string;
  try {
    path = await realpath(file);
  } catch (error) {
    throw unsafe(
      `${file} cannot be found: ${reasonOf(error)}.`,
      'Correct the path, or put the program there.',
    );
  }
  if (!(await stat(path)).isFile()) throw unsafe(`${file} is no file.`, 'Name a program.');
  await access(path, constants.X_OK).catch(() => {
    throw unsafe(`${file} may not be executed by this user.`, `chmod 0755 ${path}`);
  });
  for (let at = path; ; at = dirname(at)) {
    const { mode, uid } = await stat(at);
    if (uid !== 0 && uid !== process.getuid?.()) {
      throw unsafe(
        `${at} belongs to another user (${uid}), who could change what is run.`,
        `chown root ${at}`,
      );
    }
    // In a sticky folder such as /tmp others can add files, but not replace this one.
    const sticky = at !== path && (mode & constants.S_IFMT) === constants.S_IFDIR && (mode & 0o1000) !== 0;
    if ((mode & 0o022) !== 0 && !sticky) {
      throw unsafe(
        `${at} may be written by others than its owner, who could change what is run.`,
        `chmod go-w ${at}`,
      );
    }
    if (at === '/') return;
  }
}

function unsafe(message: string, remedy: string): Failure {
  return new Failure(`The hook was not run: ${message}`, { code: 'hook-unsafe', remedy });
}

/** Also after the leader has ended: its group lives on while a member does. */
function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // nobody left
  }
}

/** Reads to the end, so that the program never waits for us, and keeps the last part. */
function collect(stream: NodeJS.ReadableStream | null): () => string {
  let kept = Buffer.alloc(0);
  stream?.on('data', (chunk: Buffer) => (kept = Buffer.concat([kept, chunk]).subarray(-maxOutputBytes)));
  return () => kept.toString();
}

/** The last five lines, fit for a terminal and a log. */
function lastLines(output: string): string {
  const lines = output.replaceAll(/[^\n\P{Cc}]/gu, ' ').split('\n');
  return lines
    .map((line) => line.trimEnd().slice(0, 300))
    .filter((line) => line !== '')
    .slice(-5)
    .join('\n');
}
