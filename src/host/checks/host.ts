import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram, type ProgramResult } from '../run-program.ts';

/** The machine that is looked at, so that tests can make one. */
export interface Host {
  /** Of whoever looks: 0 is root. */
  readonly uid: number;
  /** Milliseconds since 1970. */
  now(): number;
  /** Where an absolute path of the host lies. */
  path(absolute: string): string;
  /** A file's text; undefined where it cannot be read. */
  text(absolute: string): string | undefined;
  /** As `runProgram`, with a limit of eight seconds where none is given. */
  run(file: string, args: readonly string[], limitMs?: number): Promise<ProgramResult>;
}

const usualLimitMs = 8000;

/** This machine; with `root`, what lies below that folder in place of its files. */
export function thisHost(root = ''): Host {
  const path = (absolute: string): string => (root === '' ? absolute : join(root, absolute));
  return {
    uid: process.geteuid?.() ?? 0,
    now: () => Date.now(),
    path,
    text(absolute) {
      try {
        return readFileSync(path(absolute), 'utf8');
      } catch {
        return undefined;
      }
    },
    run: (file, args, limitMs = usualLimitMs) => runProgram(file, args, { timeoutMs: limitMs }),
  };
}
