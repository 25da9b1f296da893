export const letsEncrypt = 'https://acme-v02.api.letsencrypt.org/directory';
export const letsEncryptStaging = 'https://acme-staging-v02.api.letsencrypt.org/directory';

/** Whether an ACME directory is one of theirs, whose rules are known. */
export function isLetsEncrypt(directoryUrl: string): boolean {
  return new URL(directoryUrl).hostname.endsWith('.letsencrypt.org');
}
