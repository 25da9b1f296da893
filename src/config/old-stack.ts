import { lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnvFile } from './env-file.ts';
import { Refusal } from './kind.ts';
import { settings } from './schema.ts';
import type { FileName, Setting } from './setting.ts';
import { parseGeoipKeyFile, parseRedisPasswordFile } from './special-files.ts';

/** The files of the older stack, and what reads each. Of two for the same the first goes before. */
const oldFiles = [
  ['app.env', parseEnvFile],
  ['django.env', parseEnvFile],
  ['postgres.env', parseEnvFile],
  ['redis.env', parseEnvFile],
  ['nginx.env', parseEnvFile],
  ['redis.password.conf', parseRedisPasswordFile],
  ['redis.secrets.conf', parseRedisPasswordFile],
  ['geoip.key', parseGeoipKeyFile],
] as const;

/** A value of the older stack that has a place here. */
export interface TakenValue {
  readonly file: FileName;
  readonly setting: Setting<unknown>;
  readonly value: string;
  /** The file it stood in. */
  readonly from: string;
}

/** A line of the older stack that has none. Nothing in it is secret. */
export interface LeftLine {
  readonly from: string;
  /** A key, or the number of a line. */
  readonly what: string;
  readonly why: string;
}

export interface OldStack {
  readonly taken: readonly TakenValue[];
  readonly left: readonly LeftLine[];
}

const maxBytes = 1_048_576;

/**
 * Reads a folder in the layout of the older stack: a key goes where this program has it, whichever file it stood in.
 * Undefined where none of the files is there. Throws the file system's error for one that cannot be read.
 */
export function readOldStack(folder: string): OldStack | undefined {
  const taken: TakenValue[] = [];
  const left: LeftLine[] = [];
  let files = 0;
  for (const [from, parse] of oldFiles) {
    const text = textOf(join(folder, from));
    if (text === undefined) continue;
    files += 1;
    const { assignments, problems } = parse(text);
    for (const { line, message } of problems) left.push({ from, what: `line ${line}`, why: message });
    for (const { key, value } of assignments) {
      if (value === '') continue;
      const found = settings.find(([, setting]) => setting.key === key)?.[1];
      const fault = found === undefined ? 'nothing here has this key' : faultOf(found, value, taken);
      if (found === undefined || fault !== undefined) left.push({ from, what: key, why: fault ?? '' });
      else taken.push({ file: found.file, setting: found, value, from });
    }
  }
  return files === 0 ? undefined : { taken, left };
}

function faultOf(setting: Setting<unknown>, value: string, taken: readonly TakenValue[]): string | undefined {
  const before = taken.find((each) => each.setting === setting);
  if (before !== undefined)
    return before.value === value ? `the same as in ${before.from}` : `${before.from} has another value`;
  if (!(setting.kind.parse(value) instanceof Refusal)) return undefined;
  return `not a value that is allowed: ${setting.kind.allowed}`;
}

function textOf(path: string): string | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || !found.isFile() || found.size > maxBytes) return undefined;
  return readFileSync(path, 'utf8');
}
