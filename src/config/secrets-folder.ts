import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { reasonOf } from '../core/errors.ts';
import { isDenied } from '../core/storage-failure.ts';
import { nearest } from '../core/nearest.ts';
import { parseEnvFile, type ParsedFile } from './env-file.ts';
import { installedSecretsFolder } from './paths.ts';
import type { Problem } from './problem.ts';
import { type FileName, files } from './setting.ts';
import { parseGeoipKeyFile, parseRedisPasswordFile } from './special-files.ts';

export interface SecretsFile extends ParsedFile {
  readonly name: FileName;
  readonly path: string;
  /** The permission bits. */
  readonly mode: number;
}

export interface SecretsFolder {
  readonly files: readonly SecretsFile[];
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

const maxBytes = 1_048_576;

/** Reads every file of the folder that exists. What cannot be read is a problem; nothing is thrown. */
export function readSecretsFolder(folder: string): SecretsFolder {
  const problems: Problem[] = [];
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    const message = `the secrets folder cannot be read: ${reasonOf(error)}`;
    const remedy = 'name another with --secrets-dir or APP_SECRETS_DIR, or make this one readable';
    problems.push({
      source: folder,
      // that of an installed host nobody but root and the service is to read
      ...(folder === installedSecretsFolder && isDenied(error)
        ? { message, remedy: 'use sudo' }
        : { message: `${message}; ${remedy}` }),
    });
    return { files: [], problems, warnings: [] };
  }
  const read = files
    .filter((name) => names.includes(name))
    .map((name) => readSecretsFile(name, join(folder, name)));
  return {
    files: read.filter((each): each is SecretsFile => !isProblem(each)),
    problems: read.filter(isProblem),
    warnings: names.filter(looksMisnamed).map((name) => misnamed(folder, name)),
  };
}

function readSecretsFile(name: FileName, path: string): SecretsFile | Problem {
  try {
    const { mode, size, isFile } = statOf(path);
    if (!isFile) return { source: path, message: 'this is not a file' };
    if (size > maxBytes) return { source: path, message: `this file is larger than ${maxBytes} bytes` };
    const text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
    return { name, path, mode, ...parserOf(name)(text) };
  } catch (error) {
    const notText = error instanceof TypeError;
    return {
      source: path,
      message: notText ? 'this file is not UTF-8 text' : `cannot be read: ${reasonOf(error)}`,
    };
  }
}

/** A pipe or a device under one of the names would block the reader for ever: look before opening. */
function statOf(path: string): { mode: number; size: number; isFile: boolean } {
  const stat = statSync(path);
  return { mode: stat.mode & 0o777, size: stat.size, isFile: stat.isFile() };
}

export function parserOf(name: FileName): (text: string) => ParsedFile {
  if (name === 'redis.password.conf') return parseRedisPasswordFile;
  return name === 'geoip.key' ? parseGeoipKeyFile : parseEnvFile;
}

function isProblem(value: SecretsFile | Problem): value is Problem {
  return 'message' in value;
}

function looksMisnamed(name: string): boolean {
  const known: readonly string[] = files;
  // endings of ours, keys given as files of their own as Docker does, and slips of the pen
  const ours = /\.(?:env|conf|key)$|^[A-Z][A-Z0-9_]+$/.test(name);
  return !known.includes(name) && (ours || nearest(name, files, 2) !== undefined);
}

function misnamed(folder: string, name: string): Problem {
  const meant = nearest(name, files);
  const hint = meant === undefined ? `the files are ${files.join(', ')}` : `did you mean ${meant}?`;
  return { source: join(folder, name), message: `no file of this name is read; ${hint}` };
}
