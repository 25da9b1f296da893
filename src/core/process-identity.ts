import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** A process, told apart from every other that has or will have its number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** For people. */
  readonly host: string;
  /** The start of the kernel that it runs on; empty where that is hidden. */
  readonly bootId: string;
  /** Its `pid` means something to processes of the same namespace only. */
  readonly pidNamespace: string;
  /** In ticks since the kernel started; empty where that is hidden. */
  readonly startTime: string;
}

export function thisProcess(): ProcessIdentity {
  const stat = processStat('self');
  return {
    pid: process.pid,
    host: hostname(),
    bootId: orEmpty(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    pidNamespace: orEmpty(() => readlinkSync('/proc/self/ns/pid')),
    startTime: stat?.startTime ?? '',
  };
}

/** Whether both run, or ran, on one start of one kernel, so that they share its monotonic clock. */
export function onSameKernel(one: ProcessIdentity, other: ProcessIdentity): boolean {
  return one.bootId !== '' && one.bootId === other.bootId;
}

/** Whether the process is known to have ended. False also means that it cannot be told from here. */
export function hasEnded(process: ProcessIdentity, self: ProcessIdentity): boolean {
  if (!onSameKernel(process, self) || process.pidNamespace !== self.pidNamespace) return false;
  if (!isRunning(process.pid)) return true;
  // another user's processes may be hidden from us (ProtectProc=): then its time alone decides
  const stat = processStat(process.pid);
  if (stat === undefined) return false;
  const reused = process.startTime !== '' && process.startTime !== stat.startTime;
  // a killed process shows as a zombie while threads of it still end what they asked of the kernel: a write, a rename
  return reused || (stat.state === 'Z' && stat.threads === '1');
}

/** Milliseconds of CLOCK_MONOTONIC, which all processes of one kernel share and nobody can set. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** proc_pid_stat(5): the name, which may hold anything, ends with the last parenthesis; then the 3rd field follows. */
function processStat(pid: number | 'self') {
  const text = orEmpty(() => readFileSync(`/proc/${pid}/stat`, 'latin1'));
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, threads, startTime] = [fields[0], fields[20 - 3], fields[22 - 3]];
  return state && threads && startTime ? { state, threads, startTime } : undefined;
}

function orEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
