import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from '../src/core/errors.ts';
import { nativeSha256, oldestGlibc } from '../src/http/native-hash.ts';
import { importedSymbols, newestGlibc, renameVersion, skipStartOfName, versionNeeds } from './elf.ts';
import { replaceAnswers } from './native-answers.ts';
import { mendParser } from './native-parser.ts';

const root = join(import.meta.dirname, '..');
const source = join(root, 'node_modules', 'uWebSockets.js', 'uws.node');
const target = join(root, '.build', 'assets', 'uws.bin');

/** The official Linux build of uWebSockets.js 20.69.0 for Node 24. */
const sourceSha256 = '177efdc682425d754474bd30f9586c487fa6694f790f3406a23885d0e61c07a0';

// C23's number readers differ from the plain ones in one thing only: they also take the prefix 0b.
const c23Prefix = '__isoc23_';

/**
 * Makes `.build/assets/uws.bin` unless it is there as it should be. Returns whether it had to.
 * Throws a `Failure` when the package is not the one that was examined, or the result not the one expected.
 */
export function makeNativeFile(): boolean {
  if (existsSync(target) && sha256(readFileSync(target)) === nativeSha256) return false;
  const made = fitNativeFile(readFileSync(source));
  mkdirSync(dirname(target), { recursive: true });
  const temporary = `${target}.${process.pid}`;
  writeFileSync(temporary, made, { mode: 0o755 });
  renameSync(temporary, target);
  return true;
}

/**
 * The same library, but runnable on glibc 2.36: what it asks of 2.38 is three functions whose plain namesakes
 * have been there since 2.2.5. And with our answers to requests that cannot be read, and its parser mended. Throws a `Failure` for any
 * other input than the pinned one.
 */
export function fitNativeFile(original: Buffer): Buffer {
  refuse(
    sha256(original),
    sourceSha256,
    'node_modules/uWebSockets.js/uws.node is not the file that was examined',
  );
  const file = Buffer.from(original);
  const needs = versionNeeds(file).filter((need) => need.library === 'libc.so.6');
  const tooNew = needs.find((need) => need.version === 'GLIBC_2.38');
  const plain = needs.find((need) => need.version === 'GLIBC_2.2.5');
  if (!tooNew || !plain) throw new Error('uws.node does not ask for the versions of glibc that it should');
  renameVersion(file, tooNew, plain);
  for (const symbol of importedSymbols(file))
    if (symbol.name.startsWith(c23Prefix)) skipStartOfName(file, symbol, c23Prefix.length);
  replaceAnswers(file);
  mendParser(file);

  const newest = newestGlibc(file).join('.');
  if (newest !== oldestGlibc) throw new Error(`uws.bin asks for glibc ${newest}, not ${oldestGlibc}`);
  refuse(sha256(file), nativeSha256, 'uws.bin is not what src/http/native-hash.ts promises');
  return file;
}

function refuse(found: string, expected: string, what: string): void {
  if (found === expected) return;
  throw new Failure(`${what}: its sha256 is ${found}, not ${expected}`, {
    code: 'build-native-file',
    remedy: 'run "npm ci"; after an upgrade of uWebSockets.js examine the new file and pin its hashes',
  });
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

if (import.meta.main) makeNativeFile();
