import { replaceOnce } from './replace-once.ts';

/**
 * What the native server answers to requests that it cannot read, before any of our code sees them. As built it
 * sends HTML without a media type, and 505 for whatever has no `HTTP/1.1` where it should be: a line end
 * without CR, a space in a path. That blames the server for the caller's mistake. Each answer is a constant of
 * fixed length in the file, so the one that takes its place has the same length.
 */
const answers: readonly { readonly was: string; readonly status: string; readonly detail: string }[] = [
  {
    was: page('505 HTTP Version Not Supported', '<p>This server does not support HTTP/1.0.</p>'),
    status: '400 Bad Request',
    detail:
      'Unreadable, or not served: HTTP/1.0 (proxies must speak 1.1), a target that does not begin with "/".',
  },
  {
    was: page('431 Request Header Fields Too Large'),
    status: '431 Request Header Fields Too Large',
    detail: 'Request line + header: max 16 KiB, 98 fields.',
  },
  { was: page('400 Bad Request'), status: '400 Bad Request', detail: 'This cannot be read.' },
];

/** Puts our answers in the place of the file's own. Throws where one of those is not there exactly once. */
export function replaceAnswers(file: Buffer): void {
  for (const { was, status, detail } of answers) {
    const head = `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n`;
    const room = was.length - head.length - 1;
    if (detail.length > room) throw new Error(`the answer "${detail}" is longer than the one it replaces`);
    const becomes = `${head}${detail.padEnd(room)}\n\0`;
    replaceOnce(file, Buffer.from(`${was}\0`), Buffer.from(becomes), `the answer "${status}"`);
  }
}

function page(status: string, more = ''): string {
  const title = status.slice('400 '.length);
  return (
    `HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n` +
    `<h1>${title}</h1>${more}<hr><i>uWebSockets/20 Server</i>`
  );
}
