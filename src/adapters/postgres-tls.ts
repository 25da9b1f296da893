import { readFileSync } from 'node:fs';
import { type ConnectionOptions, getCACertificates } from 'node:tls';
import { readFailure } from '../core/storage-failure.ts';

export type PostgresSslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

/** One way to connect: in the clear, or encrypted with these options. */
export type PostgresTls = false | ConnectionOptions;

/**
 * The ways in which libpq would connect under that mode, in its order (PostgreSQL's documentation, "SSL Support", table
 * 33.1): only `verify-ca` and `verify-full` know whom they talk to, only `verify-full` by name. A Unix socket is never encrypted.
 * `require` with a trust anchor is `verify-ca`. Without one, public and the system's authorities count.
 */
export function waysOfTls(mode: PostgresSslMode, host: string, caFile: string | undefined): PostgresTls[] {
  const unverified: PostgresTls = { rejectUnauthorized: false };
  const ways: Readonly<Record<PostgresSslMode, () => PostgresTls[]>> = {
    disable: () => [false],
    allow: () => [false, unverified],
    prefer: () => [unverified, false],
    require: () => [caFile === undefined ? unverified : verified(caFile)],
    'verify-ca': () => [verified(caFile)],
    'verify-full': () => [{ rejectUnauthorized: true, ca: anchors(caFile) }],
  };
  return host.startsWith('/') ? [false] : ways[mode]();
}

function verified(caFile: string | undefined): ConnectionOptions {
  return { rejectUnauthorized: true, ca: anchors(caFile), checkServerIdentity: () => undefined };
}

function anchors(file: string | undefined): string[] {
  if (file === undefined) return [...getCACertificates('default'), ...getCACertificates('system')];
  try {
    return [readFileSync(file, 'utf8')];
  } catch (error) {
    throw readFailure(file, error);
  }
}

/** Whether libpq would try the next way after this failure: TLS itself did not work, or pg_hba.conf has a line only for the other. */
export function mayTryOtherTls(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (code === '28000') return true;
  return isTlsFailure(code, String(message)) || code === 'ECONNRESET';
}

/** Whether it was TLS that failed: the server has none, or its certificate is not trusted. */
export function isTlsFailure(code: unknown, message: string): boolean {
  if (/does not support SSL|error establishing an SSL connection/i.test(message)) return true;
  return (
    typeof code === 'string' &&
    /^(ERR_TLS_|ERR_SSL_|EPROTO$|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/.test(code)
  );
}
