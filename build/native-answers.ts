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
    detail: 'This is no HTTP/1.1 request that can be read. HTTP/1.0 is not served: proxies must speak 1.1.',
  },
  {
    was: page('431 Request Header Fields Too Large'),
    status: '431 Request Header Fields Too Large',
    detail: 'The header fields are over 16 KiB.',
  },
  { was: page('400 Bad Request'), status: '400 Bad Request', detail: 'This cannot be read.' },
];

/** Puts our answers in the place of the file's own. Throws where one of those is not there exactly once. */
export function replaceAnswers(file: Buffer): void {
  for (const { was, status, detail } of answers) {
    const at = file.indexOf(`${was}\0`, 'latin1');
    if (at < 0 || file.includes(`${was}\0`, at + 1, 'latin1')) {
      throw new Error(`uws.node does not hold its answer "${status}" once`);
    }
    const head = `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n`;
    const room = was.length - head.length - 1;
    if (detail.length > room) throw new Error(`the answer "${detail}" is longer than the one it replaces`);
    file.write(`${head}${detail.padEnd(room)}\n`, at, 'latin1');
  }
}

function page(status: string, more = ''): string {
  const title = status.slice('400 '.length);
  return (
    `HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n` +
    `<h1>${title}</h1>${more}<hr><i>uWebSockets/20 Server</i>`
  );
}
