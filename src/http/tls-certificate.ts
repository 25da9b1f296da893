import { readFileSync } from 'node:fs';
import { checkPair } from '../core/certificate-pair.ts';
import { Failure, reasonOf } from '../core/errors.ts';

/** A certificate as a worker is told of it. */
export interface TlsCertificate {
  /** DNS names in lower case, wildcards with `*.`, and IP addresses. */
  readonly names: readonly string[];
  /** PEM, leaf first. */
  readonly chainFile: string;
  readonly keyFile: string;
  /** SHA-256 of the leaf, as Node writes it: the files may have changed since. */
  readonly fingerprint: string;
}

/** What is wrong with its files; undefined where they can be read, are what was looked at, and belong together. */
export function problemOf({ chainFile, keyFile, fingerprint }: TlsCertificate): string | undefined {
  try {
    const { facts } = checkPair(readFileSync(chainFile, 'utf8'), readFileSync(keyFile, 'utf8'));
    return facts.fingerprint === fingerprint ? undefined : 'the file has changed since it was looked at';
  } catch (error) {
    return reasonOf(error);
  }
}

/** A certificate that is not served, of all that were to be. */
export class UnservedCertificate extends Failure {
  readonly certificate: TlsCertificate;

  constructor(
    certificate: TlsCertificate,
    why: string,
    detail: { readonly code: string; readonly retryable?: boolean; readonly cause?: unknown },
  ) {
    const { names, chainFile, keyFile } = certificate;
    // with nothing wrong about its files it is not due
    const force = problemOf(certificate) === undefined ? ' --force' : '';
    super(`the certificate for ${names[0]} ${why}`, {
      ...detail,
      remedy: `Get another: appliance renew-certs${force} --domain ${names[0]} (its files are ${chainFile} and ${keyFile})`,
    });
    this.certificate = certificate;
  }
}
