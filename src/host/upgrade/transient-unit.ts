import { spawn } from 'node:child_process';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { exitCodes, Failure } from '../../core/errors.ts';
import { runProgram } from '../run-program.ts';

const name = 'appliance-upgrade.service';
const outputFile = '/run/appliance-upgrade.out';
const errorFile = '/run/appliance-upgrade.err';
const lookEveryMs = 100;
const goneWithinMs = 10_000;
/** It may have to wait for a service that hands over. */
const afterWithinS = 240;

export interface Followed {
  stdout(text: string): void;
  stderr(text: string): void;
}

/**
 * Runs a command of ours as root in a unit of its own, which ends with it and not with a terminal, and follows what it says; `after`
 * runs there when it has ended, however that was. Gives its exit code, 0 where `after` brought it to its end; undefined where it was
 * killed before it could say how it ended. Rejects with `upgrade-under-way` (exit code 5) where there is such a unit already.
 */
export async function runInUnit(
  command: readonly string[],
  after: readonly string[],
  to: Followed,
): Promise<number | undefined> {
  const giveUpAt = performance.now() + goneWithinMs;
  for (;;) {
    const { stdout: state } = await runProgram('systemctl', ['is-active', name], { timeoutMs: 10_000 });
    const isLate = performance.now() > giveUpAt;
    // one that has ended is over in a moment
    if (state.trim() === 'deactivating' && !isLate) {
      await wait(lookEveryMs);
      continue;
    }
    if (['active', 'activating', 'deactivating', 'reloading'].includes(state.trim())) throw underWay();
    const { status, complaint, said } = await runOnce(command, after, to);
    // systemd may still have to forget the one before
    const isKnown = complaint.includes('already');
    if (status !== null && complaint === '') return exitCodeOf(status, said);
    if (!isKnown || isLate)
      throw new Failure(`systemd did not run it: ${complaint.trim() || 'systemd-run was ended'}`, {
        code: 'upgrade-unit-run',
        remedy: `see "journalctl --unit ${name}"`,
      });
    await runProgram('systemctl', ['reset-failed', name], { timeoutMs: 10_000 });
    await wait(lookEveryMs);
  }
}

/** What our commands say last: the result, or an error. */
export interface Said {
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * systemd-run gives 1 for what was killed by an accident, and 0 for what somebody stopped. Whoever ends by itself has said how: a
 * result, or an error.
 */
export function exitCodeOf(status: number, { stdout, stderr }: Said): number | undefined {
  if (stdout !== '') return exitCodes.done;
  return status !== 0 && /^error: /m.test(stderr) ? status : undefined;
}

/** What systemd-run itself complains of: then the command was not run. */
async function runOnce(
  command: readonly string[],
  after: readonly string[],
  to: Followed,
): Promise<{ readonly status: number | null; readonly complaint: string; readonly said: Said }> {
  const said = { stdout: '', stderr: '' };
  const keep = (name: keyof Said) => (text: string) => {
    said[name] += text;
    to[name](text);
  };
  const tails = await Promise.all([tail(outputFile, keep('stdout')), tail(errorFile, keep('stderr'))]);
  const properties = [
    'Description=Another release of the appliance takes over',
    // by the unit, which only one can be: another caller leaves them alone. Not truncated, for the command after
    `ExecStartPre=rm -f ${outputFile} ${errorFile}`,
    `StandardOutput=append:${outputFile}`,
    `StandardError=append:${errorFile}`,
    `ExecStopPost=${after.join(' ')}`,
    `TimeoutStopSec=${afterWithinS}`,
    'UMask=0022',
  ];
  const child = spawn(
    'systemd-run',
    [
      '--wait',
      '--collect',
      '--quiet',
      `--unit=${name}`,
      ...properties.map((property) => `--property=${property}`),
      '--',
      ...command,
    ],
    // a Ctrl-C is for whoever follows
    { stdio: ['ignore', 'ignore', 'pipe'], detached: true },
  );
  let complaint = '';
  child.stderr.on('data', (chunk) => (complaint += String(chunk)));
  let ended = false;
  const exited = once(child, 'close').then(([status]) => {
    ended = true;
    return status as number | null;
  });
  while (!ended) {
    await Promise.race([wait(lookEveryMs), exited]);
    for (const { more } of tails) await more();
  }
  for (const { close } of tails) await close();
  return { status: await exited, complaint, said };
}

interface Tail {
  /** Hands on what was added since the call before. */
  more(): Promise<void>;
  close(): Promise<void>;
}

/** Of the file that will be made there anew: what lies there now is of another run. It is read to its end, even where it was removed. */
async function tail(path: string, write: (text: string) => void): Promise<Tail> {
  const inode = async () => (await stat(path).catch(() => undefined))?.ino;
  const before = await inode();
  const decoder = new TextDecoder();
  const buffer = Buffer.alloc(65_536);
  let file: FileHandle | undefined;
  return {
    async more() {
      if (file === undefined) {
        const now = await inode();
        if (now === undefined || now === before) return;
        file = await open(path).catch(() => undefined);
      }
      for (;;) {
        const { bytesRead = 0 } = (await file?.read(buffer)) ?? {};
        if (bytesRead === 0) return;
        write(decoder.decode(buffer.subarray(0, bytesRead), { stream: true }));
      }
    },
    async close() {
      await file?.close();
    },
  };
}

function underWay(): Failure {
  return new Failure('another upgrade is under way', {
    code: 'upgrade-under-way',
    exitCode: exitCodes.locked,
    retryable: true,
    remedy: `wait until it has ended: tail -f ${errorFile}; one that hangs ends with: sudo systemctl stop ${name.replace('.service', '')}`,
  });
}
