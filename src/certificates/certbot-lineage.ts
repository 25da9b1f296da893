import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CertificateFacts } from '../core/certificate-facts.ts';
import { checkPair } from '../core/certificate-pair.ts';
import { exitCodes, Failure } from '../core/errors.ts';
import { asUsageFailure, readFailure, systemCode } from '../core/storage-failure.ts';
import { readTextFile } from '../core/text-file.ts';
import type { CertificatePair } from '../ports/certificate-store.ts';

/** A certificate that somebody brought along. */
export interface Lineage {
  /** The chain alone, leaf first, and the key as PKCS #8; both PEM. */
  readonly pair: CertificatePair;
  readonly facts: CertificateFacts;
  /** What its owner should know, in sentences. */
  readonly warnings: readonly string[];
}

/** The files of a folder that make a chain, and the key: certbot's `live/NAME` first, then a folder of our own store. */
const layouts = [
  { chain: ['fullchain.pem'], key: 'privkey.pem' },
  { chain: ['cert.pem', 'chain.pem'], key: 'privkey.pem' },
  { chain: ['certificate.pem'], key: 'key.pem' },
] as const;

/**
 * Reads a certificate and its key out of a folder of certbot's (`/etc/letsencrypt/live/NAME`, whose files are links
 * into `archive`), or one with `certificate.pem` and `key.pem`. `now` is in milliseconds since 1970. Rejects with a
 * Failure of exit code 2: `import-not-found`, `import-incomplete`, `store-unreadable`, `certificate-unreadable`,
 * `certificate-key-encrypted`, `certificate-mismatch`. certbot's folders are root's: only root can read them.
 */
export async function readLineage(folder: string, now: number): Promise<Lineage> {
  try {
    await checkFolder(folder);
    for (let tries = 1; ; tries++) {
      try {
        return await readOnce(folder, now);
      } catch (error) {
        // certbot may have been changing one link after the other
        if (tries === 2 || !(error instanceof Failure) || error.code !== 'certificate-mismatch') throw error;
      }
    }
  } catch (error) {
    throw asUsageFailure(error);
  }
}

async function readOnce(folder: string, now: number): Promise<Lineage> {
  const missing: string[] = [];
  for (const layout of layouts) {
    const files = await Promise.all([...layout.chain, layout.key].map((name) => readPart(folder, name)));
    const texts = files.map(({ text }) => text);
    if (texts.every((text) => text !== undefined)) return lineageOf(folder, texts, now);
    // the first layout that is there in part is the one that was meant
    const present = texts.some((text) => text !== undefined);
    if (present && missing.length === 0) {
      missing.push(...files.filter(({ text }) => text === undefined).map(({ problem }) => problem));
    }
  }
  throw new Failure(
    missing.length > 0 ? missing.join(', ') : `${folder} holds no certificate`,
    notFound('import-incomplete'),
  );
}

function lineageOf(folder: string, texts: readonly string[], now: number): Lineage {
  const chain = texts.slice(0, -1).join('\n');
  try {
    const checked = checkPair(chain, texts.at(-1) ?? '');
    const key = checked.key.export({ type: 'pkcs8', format: 'pem' }).toString();
    return {
      pair: { chain: checked.chain, key },
      facts: checked.facts,
      warnings: warningsOf(checked.facts, now),
    };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { code, remedy = '' } = error;
    throw new Failure(`${folder}: ${error.message}`, { code, remedy, cause: error });
  }
}

function warningsOf({ names, notBefore, notAfter }: CertificateFacts, now: number): string[] {
  const expired = `The certificate expired on ${new Date(notAfter).toISOString()}.`;
  const early = `The certificate is valid only from ${new Date(notBefore).toISOString()} on. Is the clock right?`;
  const nameless = 'The certificate names no host (subject alternative name): no client will accept it.';
  return [
    ...(notAfter < now ? [expired] : []),
    ...(notBefore > now ? [early] : []),
    ...(names.length === 0 ? [nameless] : []),
  ];
}

async function readPart(
  folder: string,
  name: string,
): Promise<{ text?: string | undefined; problem: string }> {
  const path = join(folder, name);
  const read = await readTextFile(path);
  return { text: read.text, problem: read.text === undefined ? `${path} ${read.problem}` : '' };
}

async function checkFolder(folder: string): Promise<void> {
  try {
    if ((await stat(folder)).isDirectory()) return;
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) throw readFailure(folder, error);
    throw new Failure(`there is no folder ${folder}`, notFound('import-not-found'));
  }
  throw new Failure(`${folder} is not a folder`, notFound('import-not-found'));
}

function notFound(code: string) {
  return {
    code,
    exitCode: exitCodes.usage,
    remedy:
      "Name a folder with fullchain.pem and privkey.pem, such as certbot's /etc/letsencrypt/live/NAME, or with certificate.pem and key.pem.",
  };
}
