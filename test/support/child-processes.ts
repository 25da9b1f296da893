import { readdirSync, readFileSync } from 'node:fs';

/** PIDs of the children of a process that live now. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => parentOf(name) === pid)
    .map(Number);
}

/** The arguments of a process, its program first; empty where there is no such process any more. */
export function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** Whether there is such a process; one that has ended and that nobody has looked after yet is none. */
export function isAlive(pid: number): boolean {
  return parentOf(String(pid)) !== undefined;
}

/** Whether SIGSTOP has arrived. */
export function isStopped(pid: number): boolean {
  return statusOf(String(pid))?.state === 'T';
}

function parentOf(pid: string): number | undefined {
  const status = statusOf(pid);
  return status === undefined || status.state === 'Z' ? undefined : status.parent;
}

function statusOf(pid: string): { readonly state: string | undefined; readonly parent: number } | undefined {
  try {
    const [, state, parent] = /\) (\S) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return { state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}
