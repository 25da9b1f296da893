import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { makeListenerCertificate } from '../support/listener-certificate.ts';
import { scratchFolder } from './scratch.ts';

/** A certificate for 127.0.0.1 (ECDSA P-256) of an authority that this process trusts. */
export interface BenchCertificate {
  /** As certbot leaves one: `fullchain.pem`, `privkey.pem`. */
  readonly folder: string;
  /** The leaf and its authority, PEM: two certificates, as most servers send. */
  readonly chainFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  readonly chain: string;
  readonly key: string;
}

export async function makeCertificate(): Promise<BenchCertificate> {
  const folder = scratchFolder();
  const made = await makeListenerCertificate(folder);
  const [chainFile, keyFile] = [join(folder, 'fullchain.pem'), join(folder, 'privkey.pem')];
  const authority = readFileSync(made.caFile, 'utf8');
  const chain = `${readFileSync(made.certificateFile, 'utf8').trim()}\n${authority.trim()}\n`;
  writeFileSync(chainFile, chain);
  copyFileSync(made.keyFile, keyFile);
  setDefaultCACertificates([...getCACertificates(), authority]);
  return { folder, chainFile, keyFile, caFile: made.caFile, chain, key: readFileSync(keyFile, 'utf8') };
}
