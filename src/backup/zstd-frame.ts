/** Follows the bytes of one frame of zstd and of what `emptyFrame` says, without unpacking them (RFC 8878 §3.1.1). */
export interface FrameEnd {
  take(bytes: Uint8Array): void;
  /** Whether all of it has come: Node's own decompression is content with less, where only its sums are missing. */
  isWhole(): boolean;
  /** Whether anything else came after it: Node's own decompression passes over that. */
  goesOn(): boolean;
}

const blockHeaderBytes = 3;
const checksumBytes = 4;
/** By the two bits of the descriptor. */
const dictionaryBytes = [0, 1, 2, 4];
const contentSizeBytes = [0, 2, 4, 8];
const oneByteRepeated = 1;
/** What Node's compression of a stream adds when it ends, once or, by where its buffer ends, twice: a frame of nothing, with its sum. */
const emptyFrame = [0x28, 0xb5, 0x2f, 0xfd, 0x24, 0, 1, 0, 0, 0x99, 0xe9, 0xd8, 0x51];

export function followFrame(): FrameEnd {
  let header: number[] = [];
  let isBlock = false;
  let hasChecksum = false;
  let isLast = false;
  let skip = 0;
  let whole = false;
  let after = 0;
  let more = false;

  /** How many bytes the header has that begins like this; undefined where that is not known yet. */
  const frameHeaderBytes = (): number | undefined => {
    const descriptor = header[4];
    if (descriptor === undefined) return undefined;
    const single = (descriptor & 0x20) !== 0;
    const size = contentSizeBytes[descriptor >> 6]!;
    return 5 + (single ? 0 : 1) + dictionaryBytes[descriptor & 3]! + (size === 0 && single ? 1 : size);
  };
  const next = (): void => {
    if (isLast) whole = true;
    header = [];
    isBlock = true;
  };
  const endHeader = (): void => {
    if (!isBlock) {
      hasChecksum = (header[4]! & 4) !== 0;
      return next();
    }
    const [low = 0, middle = 0, high = 0] = header;
    const bits = low | (middle << 8) | (high << 16);
    isLast = (bits & 1) !== 0;
    skip = ((bits >> 1) & 3) === oneByteRepeated ? 1 : bits >> 3;
    if (isLast && hasChecksum) skip += checksumBytes;
    if (skip === 0) next();
  };

  return {
    take(bytes) {
      for (let at = 0; at < bytes.length;) {
        if (whole) {
          more ||= bytes[at++] !== emptyFrame[after++ % emptyFrame.length];
          if (more) return;
          continue;
        }
        if (skip > 0) {
          const passed = Math.min(skip, bytes.length - at);
          at += passed;
          skip -= passed;
          if (skip === 0) next();
          continue;
        }
        header.push(bytes[at++]!);
        if (header.length === (isBlock ? blockHeaderBytes : frameHeaderBytes())) endHeader();
      }
    },
    isWhole: () => whole && after % emptyFrame.length === 0,
    goesOn: () => more,
  };
}
