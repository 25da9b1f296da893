/** What the build was told; absent in a checkout, and in a build that nobody signs. */
declare const RELEASE_PUBLIC_KEY: string;

/** The Ed25519 public key (SPKI, PEM) that releases after this one are signed with; undefined where none is built in. */
export const releaseKey: string | undefined =
  typeof RELEASE_PUBLIC_KEY === 'string' ? RELEASE_PUBLIC_KEY : undefined;
