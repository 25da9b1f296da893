import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface RedisCertificates {
  /** PEM of the private authority. */
  readonly authority: string;
  readonly authorityFile: string;
  /** Files of a certificate by that authority. */
  certificate(names: readonly string[]): { readonly certificateFile: string; readonly keyFile: string };
  remove(): void;
}

/** A private authority made by openssl, as an operator would. */
export function makeRedisCertificates(): RedisCertificates {
  const folder = mkdtempSync(join(tmpdir(), 'redis-tls-'));
  const openssl = (...parameters: string[]) =>
    execFileSync('openssl', parameters, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=Test CA',
  );
  let made = 0;
  return {
    authority: readFileSync(join(folder, 'ca.pem'), 'utf8'),
    authorityFile: join(folder, 'ca.pem'),
    certificate(names) {
      const name = `server-${++made}`;
      writeFileSync(join(folder, `${name}.ext`), `subjectAltName=${names.join(',')}\n`);
      openssl('req', '-new', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', '/CN=redis');
      const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2'];
      openssl(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        ...signing,
        '-extfile',
        `${name}.ext`,
        '-out',
        `${name}.pem`,
      );
      return { certificateFile: join(folder, `${name}.pem`), keyFile: join(folder, `${name}.key`) };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
