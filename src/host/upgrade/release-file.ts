import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { exitCodes, Failure } from '../../core/errors.ts';
import { readFailure } from '../../core/storage-failure.ts';

const elf = Buffer.from([0x7f, 0x45, 0x4c, 0x46]);
/** elf(5): the header of 64 bits. */
const headerBytes = 64;

/** Bytes of a regular file. Rejects with `upgrade-file` for all else, as pipes, whose reader waits for ever, and with `store-unreadable`. */
export async function releaseFileSize(path: string): Promise<number> {
  return withFile(path, async (file) => {
    const stat = await file.stat();
    if (!stat.isFile()) throw unfit(`${path} is no file`);
    return stat.size;
  });
}

/**
 * Whether a program for Linux is there to its end, which is the table of its sections; undefined where it is no such program.
 * Rejects with `store-unreadable`.
 */
export async function isWholeProgram(path: string): Promise<boolean | undefined> {
  return withFile(path, async (file) => {
    const { buffer: header, bytesRead } = await file.read(Buffer.alloc(headerBytes), 0, headerBytes, 0);
    if (!header.subarray(0, elf.length).equals(elf)) return undefined;
    if (bytesRead < headerBytes) return false;
    // e_shoff, e_shentsize, e_shnum
    const end = header.readBigUInt64LE(0x28) + BigInt(header.readUInt16LE(0x3a) * header.readUInt16LE(0x3c));
    return BigInt((await file.stat()).size) >= end;
  });
}

/** No release, or none that runs here. */
export function unfit(
  message: string,
  remedy = 'name the binary of a release: appliance upgrade ./appliance',
): Failure {
  return new Failure(message, { code: 'upgrade-file', exitCode: exitCodes.usage, remedy });
}

async function withFile<Value>(path: string, look: (file: FileHandle) => Promise<Value>): Promise<Value> {
  try {
    // a pipe is opened without waiting for whoever writes to it
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      return await look(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw error instanceof Failure ? error : readFailure(path, error);
  }
}
