import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { applianceCommand } from './appliance.ts';

export interface NextVersion {
  /** What becomes of its environment before it starts, in lines of a shell. */
  readonly shell?: string;
  /** Of `faulty-main.ts`. */
  readonly fault?: string;
}

/** Makes a file that is this program, or a broken one, as an upgrade takes it. Gives its path. */
export function nextVersion(folder: string, { shell = '', fault }: NextVersion = {}): string {
  const file = join(folder, `next-${Math.random().toString(36).slice(2)}`);
  const command =
    fault === undefined
      ? applianceCommand()
      : [process.execPath, join(import.meta.dirname, 'faulty-main.ts')];
  const lines = ['#!/bin/sh', shell, fault === undefined ? '' : `export APPLIANCE_FAULT='${fault}'`];
  writeFileSync(file, `${lines.join('\n')}\nexec ${command.map((word) => `'${word}'`).join(' ')} "$@"\n`);
  chmodSync(file, 0o755);
  return file;
}
