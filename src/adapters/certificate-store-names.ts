import { createHash } from 'node:crypto';
import { parseIpAddress } from '../core/ip-address.ts';
import type { CertificateId } from '../ports/certificate-store.ts';

/** Where the store keeps the stand-in; no authority's folder. */
export const standInFolder = 'stand-in';
/** What an authority's folder holds besides folders of certificates. */
export const accountFiles = { facts: 'account.json', key: 'account.key' } as const;

/**
 * The folder of an authority: `https://acme.example:14000/dir` is `acme.example-14000-dir`, as CertMagic has it. Two
 * authorities never share one: what could be read in two ways, or holds characters that a folder should not, ends in
 * `~` and a part of its hash.
 */
export function authorityFolder(authority: string): string {
  if (/^[a-z]{1,40}$/.test(authority)) return authority;
  const plain = /^https:\/\/([a-z0-9.-]*\.[a-z0-9]+)(?::(\d+))?((?:\/\w+)+)$/.exec(authority);
  const [, host = '', port, path = ''] = plain ?? [];
  // a first segment of digits would look like a port
  if (plain === null || /^\.|\.\./.test(host) || /^\/\d+(?:\/|$)/.test(path)) return hashed(authority);
  const name = `${host}${port === undefined ? '' : `-${port}`}${path.replaceAll('/', '-')}`;
  return name.length > maxLength ? hashed(authority) : name;
}

/**
 * The folder of a certificate within its authority's: its name, `wildcard_.` for `*.` and `_` for each colon of an IPv6
 * address. Whatever is no such name gets a folder of its own all the same, as above.
 */
export function certificateFolder(name: string): string {
  if (name.includes(':') && parseIpAddress(name)?.text === name) return name.replaceAll(':', '_');
  const reserved: readonly string[] = Object.values(accountFiles);
  const label = '[a-z0-9](?:[a-z0-9-]*[a-z0-9])?';
  const plain = new RegExp(String.raw`^(?:\*\.)?${label}(?:\.${label})*$`).test(name);
  if (!plain || reserved.includes(name) || name.length > maxLength) return hashed(name);
  return name.replace('*', 'wildcard_');
}

/** The path of a certificate's folder below the store's. */
export function relativeFolder({ authority, name }: CertificateId): string {
  return `${authorityFolder(authority)}/${certificateFolder(name)}`;
}

/** Leaves room for endings: a file system takes names of 255 bytes. */
const maxLength = 200;

function hashed(text: string): string {
  const readable = text
    .replace(/^https?:\/\//, '')
    .replaceAll(/[^A-Za-z0-9.-]/g, '_')
    .replace(/^[.-]+/, '_')
    .slice(0, 100);
  return `${readable}~${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
}
