import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificateBlocks, type CheckedPair, checkPair } from '../../core/certificate-pair.ts';

/** A folder with a chain and its key, as it lies on the disk. */
export interface CertificateFiles {
  readonly folder: string;
  readonly chainFile: string;
  readonly keyFile: string;
  /** Undefined where they are no pair, or cannot be parsed. */
  readonly pair: CheckedPair | undefined;
  /** Why not. */
  readonly problem: string | undefined;
  /** Each of the chain that can be parsed, leaf first. */
  readonly chain: readonly X509Certificate[];
}

/** A stand-in serves until there is a certificate, and is nobody's to look at. */
const standIn = 'stand-in';

/** All below the folder of certificates; none where it is missing. Throws where this user may not read. */
export function readCertificates(dataFolder: string): readonly CertificateFiles[] {
  const base = join(dataFolder, 'certificates');
  const authorities = foldersIn(base).filter((path) => path !== join(base, standIn));
  return authorities.flatMap(foldersIn).flatMap((folder) => {
    const chainFile = join(folder, 'certificate.pem');
    const keyFile = join(folder, 'key.pem');
    const [chain, key] = [textOf(chainFile), textOf(keyFile)];
    if (chain === undefined && key === undefined) return [];
    return [{ folder, chainFile, keyFile, ...pairOf(chain ?? '', key ?? ''), chain: parsed(chain ?? '') }];
  });
}

function pairOf(chain: string, key: string): Pick<CertificateFiles, 'pair' | 'problem'> {
  try {
    return { pair: checkPair(chain, key), problem: undefined };
  } catch (error) {
    return { pair: undefined, problem: error instanceof Error ? error.message : String(error) };
  }
}

function parsed(text: string): X509Certificate[] {
  return certificateBlocks(text).flatMap((block) => {
    try {
      return [new X509Certificate(block)];
    } catch {
      return [];
    }
  });
}

function foldersIn(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => join(folder, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
