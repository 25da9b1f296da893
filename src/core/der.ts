/** One value in the Distinguished Encoding Rules (ITU-T X.690): its identifier octet and its content. */
export interface DerValue {
  readonly tag: number;
  readonly content: Uint8Array;
}

/**
 * The values that the bytes hold, one after the other; what is inside a constructed one is read by another call.
 * Throws a RangeError where the bytes end too early or a tag or length has a form that no certificate has.
 */
export function readDer(bytes: Uint8Array): DerValue[] {
  const values: DerValue[] = [];
  let at = 0;
  const next = () => {
    const byte = bytes[at++];
    if (byte === undefined) throw new RangeError('DER ends too early');
    return byte;
  };
  while (at < bytes.length) {
    const tag = next();
    if ((tag & 0x1f) === 0x1f) throw new RangeError('DER with a tag of several bytes');
    let length = next();
    if (length >= 0x80) {
      const count = length - 0x80;
      if (count < 1 || count > 4) throw new RangeError('DER with a length of no use');
      length = 0;
      for (let index = 0; index < count; index++) length = length * 256 + next();
    }
    if (at + length > bytes.length) throw new RangeError('DER ends too early');
    values.push({ tag, content: bytes.subarray(at, at + length) });
    at += length;
  }
  return values;
}
