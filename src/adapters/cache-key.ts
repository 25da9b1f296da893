import { createHash } from 'node:crypto';

const maxKeyBytes = 200;
const digestMark = 'sha256-';

/**
 * The bytes that stand for a key: its UTF-8, or a digest where that is long, empty or not the same text any longer (lone
 * surrogates), so that any text may be a key and two keys are never one.
 */
export function cacheKey(key: string): Buffer {
  const bytes = Buffer.from(key);
  if (bytes.length > 0 && bytes.length <= maxKeyBytes && key.isWellFormed() && !key.startsWith(digestMark)) {
    return bytes;
  }
  return Buffer.from(digestMark + createHash('sha256').update(Buffer.from(key, 'utf16le')).digest('hex'));
}
