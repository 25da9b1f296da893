import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { syncFolder, writeFileAtomically } from '../core/atomic-file.ts';
import { type CheckedPair, checkPair } from '../core/certificate-pair.ts';
import { Failure } from '../core/errors.ts';
import { shellWord } from '../core/shell-word.ts';
import { writeFailure } from '../core/storage-failure.ts';
import { readTextFile } from '../core/text-file.ts';
import type { CertificatePair } from '../ports/certificate-store.ts';

const chainName = 'certificate.pem';
const keyName = 'key.pem';
/** The ending of files whose save has not come to its end. */
const newEnding = '.new';

/** A checked pair and where it lies. */
export type PlacedPair = CheckedPair & { readonly chainFile: string; readonly keyFile: string };

/** What a folder holds of a certificate. */
export interface FoundPair {
  readonly pair: PlacedPair | undefined;
  /** Why there is no pair; undefined where there is one, or no file at all. */
  readonly problem: string | undefined;
  /** A save was cut off: `finishSave` has something to do. */
  readonly unfinished: boolean;
}

/**
 * Two files cannot be replaced in one step. A save writes both under new names, each of which appears only when its file
 * is whole and on the disk, the chain last; then it renames them. Whenever that is cut off, one matching pair is there:
 * the new one once its chain has appeared, else the old one. `readPair` finds it, `finishSave` brings order.
 *
 * Rejects with `store-full`, `store-unwritable` and, having put nothing in place, with `certificate-mismatch` or
 * `certificate-unreadable`. Only one process at a time may call this for a folder, which has to exist.
 * `beforeReplacing` may still refuse, by rejecting, when all is written.
 */
export async function savePair(
  folder: string,
  { chain, key }: CertificatePair,
  beforeReplacing: () => Promise<void> = () => Promise.resolve(),
): Promise<PlacedPair> {
  const checked = checkPair(chain, key);
  await finishSave(folder);
  const files = [
    { path: join(folder, keyName), content: key.endsWith('\n') ? key : `${key}\n`, mode: 0o600 },
    { path: join(folder, chainName), content: checked.chain, mode: 0o644 },
  ];
  try {
    for (const { path, content, mode } of files) await writeFileAtomically(path + newEnding, content, mode);
    await beforeReplacing();
  } catch (error) {
    for (const { path } of files) await rm(path + newEnding, { force: true }).catch(() => undefined);
    throw error;
  }
  await finishSave(folder);
  const { pair, problem } = await readPair(folder);
  if (pair?.facts.fingerprint === checked.facts.fingerprint) return pair;
  throw new Failure(
    `what was written to ${folder} does not read back: ${problem ?? 'it is another certificate'}`,
    {
      code: 'store-unwritable',
      remedy: `Check the disk: dmesg | tail; ls -la ${shellWord(folder)}`,
    },
  );
}

/**
 * Rejects with `store-unreadable`; what is damaged is told in the result. Files that are no pair are looked at again: the
 * four are read one after the other, and saves of another process may have come in between. What is damaged stays the same.
 */
export async function readPair(folder: string): Promise<FoundPair> {
  let before = '';
  let same = 0;
  for (let looks = 1; ; looks++) {
    const { seen, ...found } = await look(folder);
    same = seen === before ? same + 1 : 1;
    before = seen;
    if (found.problem === undefined || same === sameLooks || looks === maxLooks) return found;
    // not in step with whoever saves again and again
    await wait(10 + Math.random() * 20);
  }
}

/** So often in a row the same files that are no pair: they are damaged. */
const sameLooks = 3;
const maxLooks = 100;

/** `seen`: all that was read, to compare. */
async function look(folder: string): Promise<FoundPair & { readonly seen: string }> {
  const key = await candidate(folder, keyName);
  const chain = await candidate(folder, chainName);
  const unfinished = !key.new.absent || !chain.new.absent;
  const seen = JSON.stringify([key.new, chain.new, key.old, chain.old]);
  const problems: string[] = [];
  const ways = [
    [key.new, chain.new],
    [key.old, chain.old],
    // between the two renames, or where one of the files was lost
    [key.old, chain.new],
    [key.new, chain.old],
  ] as const;
  for (const [key, chain] of ways) {
    if (key.text === undefined || chain.text === undefined) continue;
    try {
      const pair = checkPair(chain.text, key.text);
      return {
        pair: { ...pair, chainFile: chain.path, keyFile: key.path },
        problem: undefined,
        unfinished,
        seen,
      };
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      problems.push(error.message);
    }
  }
  const lacking = [key.old, chain.old].filter(({ text }) => text === undefined);
  const nothing = lacking.length === 2 && lacking.every(({ absent }) => absent) && !unfinished;
  const problem = lacking.map(({ path, problem }) => `${path} ${problem}`).join(', ') || problems.at(-1);
  return { pair: undefined, problem: nothing ? undefined : problem, unfinished, seen };
}

/** Renames the files of the pair that counts to their own names, and removes the rest of a save that was cut off. */
export async function finishSave(folder: string): Promise<void> {
  const { pair, unfinished } = await readPair(folder);
  if (!unfinished) return;
  const path = (name: string) => join(folder, name);
  try {
    for (const [name, chosen] of [
      [keyName, pair?.keyFile],
      [chainName, pair?.chainFile],
    ] as const) {
      if (chosen === path(name + newEnding)) await rename(chosen, path(name));
      else await rm(path(name + newEnding), { force: true, recursive: true });
    }
    await syncFolder(folder);
  } catch (error) {
    throw writeFailure(path(chainName), error);
  }
}

async function candidate(folder: string, name: string) {
  const read = async (path: string) => ({
    path,
    absent: false,
    problem: '',
    text: undefined,
    ...(await readTextFile(path)),
  });
  return { old: await read(join(folder, name)), new: await read(join(folder, name + newEnding)) };
}
