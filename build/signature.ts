import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Failure, reasonOf } from '../src/core/errors.ts';

/** The key that a release is signed with. */
export interface SigningKey {
  /** SPKI, PEM: what the binary carries, to judge the releases after it. */
  readonly publicPem: string;
  /** Ed25519 (RFC 8032) of the whole file, in base64 with a newline. The same file gives the same signature. */
  sign(file: string): string;
}

/** Reads an Ed25519 private key, PEM, as `openssl genpkey -algorithm ed25519` makes it. Throws a Failure `build-key`. */
export function readSigningKey(path: string): SigningKey {
  let key: KeyObject;
  try {
    key = createPrivateKey(readFileSync(path));
  } catch (error) {
    throw unfit(path, reasonOf(error));
  }
  if (key.asymmetricKeyType !== 'ed25519') throw unfit(path, `it is a key for ${key.asymmetricKeyType}`);
  return {
    publicPem: createPublicKey(key).export({ type: 'spki', format: 'pem' }) as string,
    sign: (file) => `${sign(null, readFileSync(file), key).toString('base64')}\n`,
  };
}

function unfit(path: string, why: string): Failure {
  return new Failure(`${path} holds no Ed25519 private key: ${why}`, {
    code: 'build-key',
    remedy: 'make one: openssl genpkey -algorithm ed25519 -out release.key',
  });
}
