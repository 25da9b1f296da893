import type { TableShape } from '../ports/database-shape.ts';

/**
 * What a backup is: `appliance-20261122T213600Z.tar.zst`, or `….tar.zst.age` when it is encrypted (age-encryption.org/v1 with a
 * passphrase). Plain tools read it: `age -d`, `zstd -d`, `tar`. In the tar, in this order:
 *
 * - `archive.json`: an `ArchiveHead`;
 * - `tables/NAME/000001.ndjson` …: the rows of each table of the head in its order, in parts of at most `maxPartBytes`; a line
 *   is a row, a JSON array in the order of the columns, bytes as base64, JSON as it is;
 * - `files/CLASS/PATH`: files of the host, `FileClass` says which;
 * - `manifest.json`: a `Manifest` of all entries before it. Without it an archive is unfinished.
 */
export const formatName = 'appliance-backup';
/** Raised when an older release could not read it. */
export const formatVersion = 1;
export const maxPartBytes = 4 * 1024 * 1024;

export interface ArchiveHead {
  readonly format: typeof formatName;
  readonly version: typeof formatVersion;
  /** Milliseconds since 1970: the moment of the snapshot. */
  readonly createdMs: number;
  readonly hostName: string;
  /** The release that wrote it, `MAJOR.MINOR.PATCH`. */
  readonly release: string;
  readonly database: 'postgres' | 'sqlite';
  /** Names of the migrations that its tables have seen, in their order. */
  readonly migrations: readonly string[];
  readonly tables: readonly TableShape[];
  /** Whether private keys and secrets are among the files: only ever in an encrypted archive. */
  readonly secrets: boolean;
}

/**
 * Where files go: `certificates` below `APP_DATA_DIR/certificates` (without private keys unless `secrets`), `configuration` the
 * files of the secrets folder (without the values of secret keys unless `secrets`), `stack` what root's units alone read.
 */
export type FileClass = 'certificates' | 'configuration' | 'stack';

export interface Manifest {
  readonly entries: readonly ManifestEntry[];
  readonly tables: readonly { readonly name: string; readonly rows: number }[];
}

export interface ManifestEntry {
  /** Its name in the tar. */
  readonly path: string;
  readonly size: number;
  /** Of its bytes, in lower-case hexadecimal. */
  readonly sha256: string;
  /** Permission bits of a file of the host. */
  readonly mode?: number;
}
