import { stat } from 'node:fs/promises';
import { exitCodes, Failure } from '../core/errors.ts';
import { shellWord } from '../core/shell-word.ts';
import { asUsageFailure } from '../core/storage-failure.ts';
import { readTextFile } from '../core/text-file.ts';

const shortest = 8;

/**
 * The passphrase that a file holds: its one line, without the end of line. Rejects with `backup-passphrase` (exit code 2) where
 * that is none or anybody could read or change the file, and where it cannot be read.
 */
export async function readPassphrase(file: string): Promise<string> {
  const read = await readTextFile(file).catch((error: unknown) => {
    throw asUsageFailure(error);
  });
  const refuse = (what: string, remedy: string) =>
    new Failure(`the passphrase file ${file} ${what}`, {
      code: 'backup-passphrase',
      exitCode: exitCodes.usage,
      remedy,
    });
  const write = `write a passphrase of at least ${shortest} characters into it, on one line`;
  if (read.text === undefined) throw refuse(read.problem, write);
  const { mode } = await stat(file);
  if ((mode & 0o027) !== 0) {
    throw refuse(
      `may be read or changed by others (mode ${(mode & 0o777).toString(8).padStart(4, '0')})`,
      `chmod 0600 ${shellWord(file)}`,
    );
  }
  const passphrase = read.text.replace(/\r?\n$/, '');
  if (passphrase.length < shortest) throw refuse(`holds fewer than ${shortest} characters`, write);
  if (/[\r\n]/.test(passphrase)) throw refuse('holds more than one line', write);
  return passphrase;
}
