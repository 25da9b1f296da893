import { createPrivateKey } from 'node:crypto';
import { dirname } from 'node:path';
import { isObject } from '../core/is-object.ts';
import { makeFolder, removeLeftovers, writeFileAtomically } from '../core/atomic-file.ts';
import type { CertificateFacts } from '../core/certificate-facts.ts';
import { readTextFile } from '../core/text-file.ts';
import type { CertificateId, PendingOrder } from '../ports/certificate-store.ts';
import type { Logger } from '../ports/logger.ts';

/** The store's single files, most of them small JSON documents. */
export interface Documents {
  /** Undefined where it is absent, or damaged, which is told to the log. Rejects with `store-unreadable`. */
  text(file: string): Promise<string | undefined>;
  /** The same for JSON that `from` finds whole. */
  read<Value>(file: string, from: (document: unknown) => Value | undefined): Promise<Value | undefined>;
  /** Whole or not at all; the folder is made. Rejects with `store-full` or `store-unwritable`. */
  write(file: string, content: object | string, mode?: number): Promise<void>;
  /** What is wrong with a file, once, however often it is looked at. */
  tell(file: string, problem: string): void;
}

export function createDocuments(log: Logger): Documents {
  const told = new Set<string>();

  function tell(file: string, problem: string): void {
    if (told.has(`${file} ${problem}`)) return;
    told.add(`${file} ${problem}`);
    log.warn({ file, problem }, 'a file of the certificate store is damaged');
  }

  async function text(file: string): Promise<string | undefined> {
    const read = await readTextFile(file);
    if (read.text === undefined && !read.absent) tell(file, read.problem);
    return read.text;
  }

  return {
    tell,
    text,
    async read(file, from) {
      const found = await text(file);
      if (found === undefined) return undefined;
      const value = from(parse(found));
      if (value === undefined) tell(file, 'is not what belongs there');
      return value;
    },
    async write(file, content, mode = 0o600) {
      await makeFolder(dirname(file));
      await removeLeftovers(dirname(file));
      await writeFileAtomically(file, typeof content === 'string' ? content : documentText(content), mode);
    },
  };
}

/** `certificate.json`: for people and scripts, and the one place that tells a folder's authority. */
export function certificateDocument({ authority, name }: CertificateId, facts: CertificateFacts): string {
  return documentText({
    authority,
    name,
    names: facts.names,
    issuer: facts.issuer,
    serial: facts.serial,
    fingerprint: facts.fingerprint,
    notBefore: new Date(facts.notBefore).toISOString(),
    notAfter: new Date(facts.notAfter).toISOString(),
  });
}

export function idFrom(document: unknown): CertificateId | undefined {
  if (!isObject(document)) return undefined;
  const { authority, name } = document;
  return typeof authority === 'string' && typeof name === 'string' ? { authority, name } : undefined;
}

export function orderFrom(document: unknown): PendingOrder | undefined {
  if (!isObject(document)) return undefined;
  const { url, names, profile, key, placedAt } = document;
  const areNames = (value: unknown): value is string[] =>
    Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string');
  if (!isOptionalText(url) || !isOptionalText(profile) || !areNames(names)) return undefined;
  if (typeof placedAt !== 'number' || typeof key !== 'string' || !isPrivateKey(key)) return undefined;
  return { url, names, profile, key, placedAt };
}

export function isOptionalText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

export function isPrivateKey(text: string): boolean {
  try {
    return createPrivateKey(text).type === 'private';
  } catch {
    return false;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function documentText(document: object): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}
