import { replaceOnce } from './replace-once.ts';

/** x86-64 code in hexadecimal, as it is and as it becomes; addresses in it are relative to what stands there. */
interface Mend {
  readonly what: string;
  readonly was: string;
  readonly becomes: string;
}

/*
 * What the native server's reading of header lines (its `HttpParser::getHeaders`) does that RFC 9112 does not allow, and that no
 * code of ours could see.
 */
const mends: readonly Mend[] = [
  {
    // A line without a name (`: x`) was kept with an empty name, which is also how the end of the headers is marked: Content-Length
    // and the proxy's word behind it were not there, and a body was read as the next request (RFC 9112 §5, §11.2). The length of
    // the name has just been computed: where it is 0 the way to 400 is taken. The room for that jump is the idle instruction in
    // front of the loop behind.
    what: 'a header line without a name',
    was: '488902 4c897208 41803b3a 0f85ff000000 896c240c 4d8d6301 48c7c3feffffff 4c29db 4d89e5 0f1f8000000000',
    becomes:
      '0f840a010000 488902 4c897208 41803b3a 0f85f9000000 896c240c 4d8d6301 48c7c3feffffff 4c29db 4d89e5 90',
  },
  {
    // Bytes from 80 on are negative to a signed comparison, hence less than a space, and went with the spaces.
    what: 'the end of a value',
    was: '41807c030121 7d0c',
    becomes: '41807c030121 730c',
  },
  {
    what: 'the start of a value',
    was: '41807bff20 7f11',
    becomes: '41807bff20 7711',
  },
];

/** Mends the parser in place. Throws where something is not there exactly once. */
export function mendParser(file: Buffer): void {
  for (const { what, was, becomes } of mends) replaceOnce(file, bytes(was), bytes(becomes), what);
}

function bytes(hexadecimal: string): Buffer {
  return Buffer.from(hexadecimal.replaceAll(' ', ''), 'hex');
}
