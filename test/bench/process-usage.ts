import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** The CPU time that a process has used in user and kernel mode, all threads, in microseconds; in steps of 10 ms. */
export function cpuMicroseconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in parentheses may hold anything; what follows it are the third field and on (proc_pid_stat(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [userTicks, kernelTicks] = [Number(fields[11]), Number(fields[12])];
  return ((userTicks + kernelTicks) / ticksPerSecond) * 1e6;
}

/** The memory of a process in bytes: what is shared with others counts in proportion. */
export interface Memory {
  readonly pssBytes: number;
  /** Of `pssBytes`, what backs no file: heaps, stacks. */
  readonly anonymousBytes: number;
}

/** From the kernel's sums over all mappings (`smaps_rollup`). */
export function memoryOf(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)![1]) * 1024;
  return { pssBytes: bytes('Pss'), anonymousBytes: bytes('Pss_Anon') };
}
