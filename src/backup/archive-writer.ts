import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { constants, createZstdCompress } from 'node:zlib';
import { Encrypter } from 'age-encryption';
import { pack as packTar } from 'tar-stream';
import { syncFolder } from '../core/atomic-file.ts';
import { writeFailure } from '../core/storage-failure.ts';
import { unfinishedEnding } from './archive-name.ts';
import type { Manifest, ManifestEntry } from './format.ts';

export interface ArchiveWriter {
  /** Resolves when there is room for the next. Rejects with what keeps the archive from being written. */
  add(path: string, bytes: Uint8Array, mode?: number): Promise<void>;
  /** Ends it with its manifest and gives it its name, once all of it is on the disk. Resolves with its size in bytes. */
  finish(tables: Manifest['tables']): Promise<number>;
  /** Removes what was written. Never rejects; after `finish` it does nothing. */
  abandon(): Promise<void>;
}

export interface ArchiveWriterOptions {
  /** Where it will be; until then it has `.unfinished` behind its name. For its owner alone (0600). */
  readonly file: string;
  readonly passphrase: string | undefined;
  /** Milliseconds since 1970, for the times in the tar. */
  readonly createdMs: number;
}

/** log2 of N: 64 MiB of memory for whoever guesses, and for us. age's own 18 takes 256. */
const scryptWorkFactor = 16;
/** Of files in the tar that are none of the host's. */
const usualMode = 0o600;

/** Rejects, here and later, with `store-full` or `store-unwritable`. */
export async function createArchiveWriter(options: ArchiveWriterOptions): Promise<ArchiveWriter> {
  const { file, passphrase, createdMs } = options;
  const unfinished = file + unfinishedEnding;
  const handle = await open(unfinished, 'wx', 0o600).catch((error: unknown) => {
    throw writeFailure(unfinished, error);
  });
  const tar = packTar();
  const compressed = createZstdCompress({
    params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 },
  });
  const entries: ManifestEntry[] = [];
  let size = 0;
  let settled = false;

  const toDisk = async (chunks: AsyncIterable<Uint8Array>): Promise<void> => {
    for await (const chunk of chunks) {
      await writeAll(handle, chunk);
      size += chunk.byteLength;
    }
    await handle.sync();
  };
  const written = pipeline(
    Readable.from(tar, { objectMode: false }),
    compressed,
    (chunks: AsyncIterable<Uint8Array>) => (passphrase === undefined ? chunks : sealed(chunks, passphrase)),
    toDisk,
  ).catch((error: unknown) => {
    throw writeFailure(unfinished, error);
  });
  // whoever adds next is told
  written.catch(() => undefined);

  const put = async (path: string, bytes: Uint8Array, mode: number): Promise<void> => {
    const added = new Promise<void>((resolve, reject) => {
      const header = {
        name: path,
        size: bytes.byteLength,
        mode,
        mtime: new Date(createdMs),
        type: 'file',
      } as const;
      const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const entry = tar.entry(header, body, (error) => (error ? reject(error) : resolve()));
      // told by the callback as well; an error that nobody listens to ends the process
      entry.on('error', () => undefined);
    });
    // where writing failed, the reason is there and not in the tar
    await Promise.race([added.catch(() => written), written]);
  };

  return {
    async add(path, bytes, mode) {
      await put(path, bytes, mode ?? usualMode);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      entries.push({ path, size: bytes.byteLength, sha256, ...(mode === undefined ? {} : { mode }) });
    },
    async finish(tables) {
      const manifest: Manifest = { entries, tables };
      await put('manifest.json', Buffer.from(`${JSON.stringify(manifest)}\n`), usualMode);
      tar.finalize();
      await written;
      await handle.close();
      try {
        await rename(unfinished, file);
        settled = true;
        await syncFolder(dirname(file));
      } catch (error) {
        throw writeFailure(file, error);
      }
      return size;
    },
    async abandon() {
      if (settled) return;
      settled = true;
      tar.destroy();
      await written.catch(() => undefined);
      await handle.close().catch(() => undefined);
      await rm(unfinished, { force: true }).catch(() => undefined);
    },
  };
}

/** A write may take less than it was given, as on a disk that is getting full. */
async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.byteLength;) {
    const { bytesWritten } = await handle.write(chunk, done, chunk.byteLength - done);
    done += bytesWritten;
  }
}

/** What age makes of it (age-encryption.org/v1). */
async function* sealed(chunks: AsyncIterable<Uint8Array>, passphrase: string): AsyncIterable<Uint8Array> {
  const encrypter = new Encrypter();
  encrypter.setPassphrase(passphrase);
  encrypter.setScryptWorkFactor(scryptWorkFactor);
  const plain = Readable.toWeb(Readable.from(chunks, { objectMode: false }));
  yield* (await encrypter.encrypt(
    plain as ReadableStream<Uint8Array<ArrayBuffer>>,
  )) as AsyncIterable<Uint8Array>;
}
