import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { exitCodes, Failure } from '../../core/errors.ts';
import { readFailure, systemCode } from '../../core/storage-failure.ts';

/** What is known of a release's origin: `nobody` where no key is built into this one to judge by, and that was accepted. */
export type Origin = 'signed' | 'nobody';

export interface SignatureRequest {
  /** The very bytes that are going to run. */
  readonly file: string;
  /** What the owner named, beside which signature and sums lie. */
  readonly named: string;
  /** Ed25519, SPKI, PEM: built into the release that runs. */
  readonly key: string | undefined;
  readonly allowUnsigned: boolean;
}

/**
 * Who made a release: `FILE.sig` has to be the signature of its bytes by the key of the release that runs. Rejects with
 * `upgrade-unsigned`, and with `upgrade-signature` for one that is wrong, which `allowUnsigned` lets pass as well.
 */
export async function originOf({ file, named, key, allowUnsigned }: SignatureRequest): Promise<Origin> {
  const signature = await textOf(`${named}.sig`);
  if (allowUnsigned) {
    const known = key !== undefined && signature !== undefined && (await isSigned(file, signature, key));
    return known ? 'signed' : 'nobody';
  }
  if (key === undefined)
    throw refused(
      'upgrade-unsigned',
      'this release has no key built in, so it cannot tell who made another',
      'with --allow-unsigned it takes the file as it is: be sure where it came from',
    );
  if (signature === undefined)
    throw refused(
      'upgrade-unsigned',
      `${basename(named)} is not signed: there is no ${named}.sig`,
      'put the signature of the release beside it; --allow-unsigned takes it without',
    );
  if (!(await isSigned(file, signature, key)))
    throw refused(
      'upgrade-signature',
      `${named}.sig is not the signature of this file by the key that is built into this release`,
      'fetch both again; if it is still so, somebody else made the file: do not use it',
    );
  return 'signed';
}

/**
 * Whether the file came here whole, by `SHA256SUMS` beside it: that finds damage, and proves nothing about who made it. False
 * where there are no sums. Rejects with `upgrade-damaged`.
 */
export async function isUndamaged(file: string, named: string): Promise<boolean> {
  const sums = await textOf(join(dirname(named), 'SHA256SUMS'));
  const line = sums?.split('\n').find((each) => each.slice(64).replace(/^ [ *]/, '') === basename(named));
  if (line === undefined) return false;
  const found = createHash('sha256')
    .update(await contentOf(file))
    .digest('hex');
  if (line.startsWith(found)) return true;
  throw refused(
    'upgrade-damaged',
    `${named} is damaged: its sha256 is not the one in SHA256SUMS`,
    'fetch it again',
  );
}

async function isSigned(file: string, signature: string, key: string): Promise<boolean> {
  const bytes = Buffer.from(signature.trim(), 'base64');
  return verify(null, await contentOf(file), createPublicKey(key), bytes);
}

async function contentOf(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw readFailure(path, error);
  }
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    // a pipe would be waited for
    if (!(await stat(path)).isFile()) throw refused('upgrade-file', `${path} is no file`, 'move it away');
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Failure) throw error;
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined;
    throw readFailure(path, error);
  }
}

function refused(code: string, message: string, remedy: string): Failure {
  return new Failure(message, { code, exitCode: exitCodes.checkFailed, remedy });
}
