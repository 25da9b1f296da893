import manifest from '../../package.json' with { type: 'json' };

/** The version of this release, as `MAJOR.MINOR.PATCH`. */
export const version: string = manifest.version;
