import manifest from '../../package.json' with { type: 'json' };

/** What the build was told; absent in a checkout. */
declare const RELEASE_VERSION: string;

/** The version of this release, as `MAJOR.MINOR.PATCH`. */
export const version: string = typeof RELEASE_VERSION === 'string' ? RELEASE_VERSION : manifest.version;
