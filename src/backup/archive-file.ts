import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { constants as zlib, createZstdDecompress, type ZstdDecompress } from 'node:zlib';
import { Failure } from '../core/errors.ts';
import { readFailure, systemCode } from '../core/storage-failure.ts';
import { archiveFailure } from './archive-failure.ts';
import { followFrame } from './zstd-frame.ts';

/** An archive on the disk, open until it is closed: whoever renames or removes it meanwhile does not matter. */
export interface ArchiveFile {
  readonly path: string;
  /** As it lies there, compressed. */
  readonly bytes: number;
  readonly encrypted: boolean;
  /**
   * The tar inside it, from its start, in pieces. Throws a Failure (`ArchiveFault`, `store-unreadable`) at the place of
   * the fault; whatever of age's or zstd's own came to its end without one was whole.
   */
  tar(progress?: (readBytes: number) => void): AsyncGenerator<Uint8Array, ArchiveEnd>;
  close(): Promise<void>;
}

export interface ArchiveEnd {
  /** Of the whole file, in lower-case hexadecimal. */
  readonly sha256: string;
}

const ageIntro = 'age-encryption.org/v1\n';
const zstdMagic = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
const readBytes = 256 * 1024;
/** The header of a file with one passphrase takes some two hundred bytes. */
const longestAgeHeader = 16 * 1024;
/** zstd may ask for that much memory, as powers of two: its own levels up to 19 take 23 at most. */
const windowLog = 24;
/** What no honest archive grows to: rows of one kind shrink to a fiftieth. */
const mostGrowth = { times: 1000, bytes: 256 * 1024 * 1024 };

/** Throws `backup-missing`, `backup-foreign`, `backup-passphrase-missing`, `store-unreadable`. Reads the first bytes alone. */
export async function openArchive(path: string, passphrase: string | undefined): Promise<ArchiveFile> {
  const handle = await openFile(path);
  try {
    const { size } = await handle.stat();
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(longestAgeHeader), 0, longestAgeHeader, 0);
    const start = buffer.subarray(0, bytesRead);
    const encrypted = kindOf(path, start) === 'age';
    if (encrypted && passphrase === undefined) {
      throw archiveFailure('backup-passphrase-missing', `${path} is encrypted`);
    }
    const fileKey = encrypted ? await fileKeyFrom(path, start, passphrase ?? '') : undefined;
    return {
      path,
      bytes: size,
      encrypted,
      async *tar(progress) {
        const hash = createHash('sha256');
        const file = fileBytes(path, handle, hash, progress);
        const compressed = fileKey === undefined ? file : decrypted(path, file, fileKey);
        yield* bounded(path, size, decompressed(path, compressed));
        return { sha256: hash.digest('hex') };
      },
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error instanceof Failure ? error : readFailure(path, error);
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR')
      throw archiveFailure('backup-missing', `there is no archive ${path}`);
    if (code !== 'ENXIO') throw readFailure(path, error);
  }
  throw archiveFailure('backup-foreign', `${path} is not a file`);
}

function kindOf(path: string, start: Buffer): 'age' | 'zstd' {
  if (start.length === 0) throw archiveFailure('backup-truncated', `${path} is empty`);
  if (start.subarray(0, ageIntro.length).toString('latin1') === ageIntro) return 'age';
  if (start.subarray(0, zstdMagic.length).equals(zstdMagic)) return 'zstd';
  throw archiveFailure('backup-foreign', `${path} is no backup: it is neither zstd nor age`);
}

async function* fileBytes(
  path: string,
  handle: FileHandle,
  hash: { update(bytes: Uint8Array): unknown },
  progress: ((readBytes: number) => void) | undefined,
): AsyncGenerator<Uint8Array> {
  for (let position = 0; ;) {
    const found = await handle
      .read(Buffer.allocUnsafe(readBytes), 0, readBytes, position)
      .catch((error: unknown) => {
        throw readFailure(path, error);
      });
    if (found.bytesRead === 0) return;
    position += found.bytesRead;
    const bytes = found.buffer.subarray(0, found.bytesRead);
    hash.update(bytes);
    progress?.(position);
    yield bytes;
  }
}

/** What the passphrase leads to: deriving it takes a second and much memory, and there are several passes. */
async function fileKeyFrom(path: string, start: Buffer, passphrase: string): Promise<Uint8Array> {
  const { Decrypter } = await import('age-encryption');
  const [header] = /^[^]*?\n--- [^\n]+\n/.exec(start.toString('latin1')) ?? [];
  if (header === undefined) {
    const fault = start.length < longestAgeHeader ? 'backup-truncated' : 'backup-damaged';
    throw archiveFailure(fault, `the header of ${path} has no end`);
  }
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  try {
    return await decrypter.decryptHeader(Buffer.from(header, 'latin1'));
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('no identity matched'))
      throw archiveFailure('backup-passphrase-wrong', `the passphrase is not the one of ${path}`);
    throw archiveFailure('backup-damaged', `the header of ${path} is damaged`, { cause: error });
  }
}

async function* decrypted(
  path: string,
  encrypted: AsyncIterable<Uint8Array>,
  fileKey: Uint8Array,
): AsyncGenerator<Uint8Array> {
  const { Decrypter } = await import('age-encryption');
  const decrypter = new Decrypter();
  decrypter.addIdentity({ unwrapFileKey: () => fileKey });
  try {
    yield* await decrypter.decrypt(ReadableStream.from<Uint8Array>(encrypted));
  } catch (error) {
    if (error instanceof Failure) throw error;
    // each piece is sealed, and the last as such: what was cut off looks like what was changed
    throw archiveFailure('backup-damaged', `${path} is damaged or cut off: it does not decrypt`, {
      cause: error,
    });
  }
}

/** One frame of zstd, whole, and nothing after it, as it was written. */
async function* decompressed(
  path: string,
  compressed: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const zstd = createZstdDecompress({ params: { [zlib.ZSTD_d_windowLogMax]: windowLog } });
  let fault: Error | undefined;
  let isLeft = false;
  const feeding = (async () => {
    const frame = followFrame();
    for await (const bytes of compressed) {
      frame.take(bytes);
      if (frame.goesOn())
        throw archiveFailure('backup-damaged', `${path} is damaged: it goes on after its end`);
      // it may have come to its end before the file did, which is to be read to its own
      if (!zstd.destroyed && !zstd.write(bytes)) await drained(zstd);
      if (isLeft) return;
    }
    if (!frame.isWhole()) throw archiveFailure('backup-truncated', `${path} is cut off`);
    zstd.end();
  })().catch((error: unknown) => {
    fault = error as Error;
    zstd.destroy(fault);
  });
  let isDone = false;
  try {
    yield* zstd as AsyncIterable<Uint8Array>;
    isDone = true;
  } catch (error) {
    throw fault ?? zstdFailure(path, error);
  } finally {
    isLeft = !isDone;
    zstd.destroy();
    await feeding;
  }
  if (fault !== undefined) throw fault;
}

/** Resolves when it takes more, and when it takes nothing any more. */
function drained(zstd: ZstdDecompress): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      zstd.off('drain', settle);
      zstd.off('close', settle);
      resolve();
    };
    zstd.on('drain', settle);
    zstd.on('close', settle);
    if (zstd.destroyed) settle();
  });
}

function zstdFailure(path: string, error: unknown): Failure {
  const { code } = error as { code?: string };
  const detail = { cause: error };
  if (code === 'Z_BUF_ERROR') return archiveFailure('backup-truncated', `${path} is cut off`, detail);
  if (code === 'ZSTD_error_frameParameter_windowTooLarge')
    return archiveFailure('backup-bomb', `${path} asks for more memory than a backup needs`, detail);
  return archiveFailure('backup-damaged', `${path} is damaged: it does not decompress`, detail);
}

async function* bounded(
  path: string,
  fileBytes: number,
  plain: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const most = fileBytes * mostGrowth.times + mostGrowth.bytes;
  let sum = 0;
  for await (const bytes of plain) {
    sum += bytes.length;
    if (sum > most)
      throw archiveFailure(
        'backup-bomb',
        `${path} has ${fileBytes} bytes and unpacks to more than ${most}: that is no backup`,
      );
    yield bytes;
  }
}
