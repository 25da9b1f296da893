/**
 * What a route answers; `server.ts` alone writes it to the socket. `head` is a whole block of header lines made
 * once by `headerBlock`, because each header costs a call into native code.
 */
export interface Answer {
  readonly status: number;
  readonly head: HeaderBlock;
  readonly body: string;
  /** For people who look with a browser: over plain HTTP they are sent to HTTPS. */
  readonly page?: true;
}

/** The value of `Content-Type` with further header lines behind it, as the bytes that are sent. */
export type HeaderBlock = Uint8Array & { readonly brand: 'HeaderBlock' };

/** Throws on a name or value that would break out of its line: those are mistakes of ours. */
export function headerBlock(
  contentType: string,
  headers: { readonly [name: string]: string } = {},
): HeaderBlock {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const block = [contentType, ...lines];
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (block.some((line) => /[\u0000-\u001f\u007f]/.test(line)))
    throw new Error('a header holds a control character');
  return Buffer.from(block.join('\r\n'), 'latin1') as Uint8Array as HeaderBlock;
}

/** On every answer: nobody guesses a type, and the read-only API is open to pages of any origin. */
const always = { 'X-Content-Type-Options': 'nosniff', 'Access-Control-Allow-Origin': '*' };
const ofTheCaller = { ...always, 'Cache-Control': 'no-store' };
const negotiated = { ...ofTheCaller, Vary: 'Accept, User-Agent' };

export const jsonType = 'application/json; charset=utf-8';
export const textType = 'text/plain; charset=utf-8';
export const htmlType = 'text/html; charset=utf-8';
export const problemType = 'application/problem+json; charset=utf-8';

export const heads = {
  json: headerBlock('application/json', ofTheCaller),
  text: headerBlock(textType, ofTheCaller),
  negotiatedJson: headerBlock('application/json', negotiated),
  negotiatedText: headerBlock(textType, negotiated),
} as const;

export { always, negotiated };

export function json(body: string): Answer {
  return { status: 200, head: heads.json, body };
}

export function text(line: string): Answer {
  return { status: 200, head: heads.text, body: `${line}\n` };
}
