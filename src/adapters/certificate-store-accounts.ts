import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { isObject } from '../core/is-object.ts';
import type { CertificateStore, StoredAccount } from '../ports/certificate-store.ts';
import { type Documents, isOptionalText, isPrivateKey } from './certificate-store-documents.ts';
import { accountFiles, authorityFolder } from './certificate-store-names.ts';

/**
 * An account is its key: with that an authority finds the rest again (RFC 8555 §7.3.1). So the key has a file of its
 * own, and what else is known counts only as long as it is of this key.
 */
export function accountsIn(
  folder: string,
  documents: Documents,
): Pick<CertificateStore, 'account' | 'saveAccount'> {
  const path = (authority: string, file: string) => join(folder, authorityFolder(authority), file);
  return {
    async account(authority) {
      const keyFile = path(authority, accountFiles.key);
      const key = await documents.text(keyFile);
      if (key === undefined) return undefined;
      if (!isPrivateKey(key)) {
        documents.tell(keyFile, 'is no private key');
        return undefined;
      }
      const facts = await documents.read(path(authority, accountFiles.facts), factsFrom);
      const { url, terms } = facts?.keyHash === hashOf(key) ? facts : { url: undefined, terms: undefined };
      return { key, url, terms };
    },
    async saveAccount(authority, { key, url, terms }) {
      const keyFile = path(authority, accountFiles.key);
      if ((await documents.text(keyFile)) !== key) await documents.write(keyFile, key);
      const facts = { directory: authority, url, terms, keyHash: hashOf(key) };
      await documents.write(path(authority, accountFiles.facts), facts);
    },
  };
}

type AccountFacts = Omit<StoredAccount, 'key'> & { readonly keyHash: unknown };

function factsFrom(document: unknown): AccountFacts | undefined {
  if (!isObject(document) || !isOptionalText(document['url'])) return undefined;
  const { url, terms, keyHash } = document;
  if (terms === undefined) return { url, terms, keyHash };
  if (!isObject(terms)) return undefined;
  const { url: termsUrl, agreedAt } = terms;
  if (typeof termsUrl !== 'string' || typeof agreedAt !== 'number') return undefined;
  return { url, terms: { url: termsUrl, agreedAt }, keyHash };
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
