/** What the same answer may look like. */
export type Representation = 'html' | 'json' | 'text';

const mediaTypes: { readonly [type: string]: Representation } = {
  'text/html': 'html',
  'application/json': 'json',
  'text/plain': 'text',
};

/** Clients that people run in a terminal or a script; they want the bare fact. */
const commandLineClient =
  /^(?:curl|wget|httpie|xh|fetch|fetch libfetch|libfetch|go-http-client|go|ddclient|mikrotik|aria2|lwp-request|libwww-perl|python-urllib|python-requests|python-httpx|powershell|busybox|inadyn|lftp|hurl|nushell|got|node|undici)(?:[/ (]|$)/i;

/** Whether a User-Agent names a command-line client. */
export function isCommandLineClient(userAgent: string): boolean {
  return commandLineClient.test(userAgent) || / (?:Windows)?PowerShell\//i.test(userAgent);
}

/**
 * Chooses by `Accept` (RFC 9110 §12.5.1: quality, then the more specific range) and, where that leaves a
 * choice, by what the client is. Returns undefined when nothing that we have is acceptable. An `Accept` that
 * cannot be read as one counts as none.
 */
export function negotiate(accept: string, userAgent: string): Representation | undefined {
  const byClient: readonly Representation[] = isCommandLineClient(userAgent)
    ? ['text', 'json', 'html']
    : ['html', 'json', 'text'];
  if (accept === '' || accept === '*/*') return byClient[0];
  const ranges = parseAccept(accept);
  if (ranges.length === 0) return byClient[0];

  let best: { representation: Representation; rank: number[] } | undefined;
  for (const [type, representation] of Object.entries(mediaTypes)) {
    const match = bestMatch(type, ranges);
    if (match === undefined || match.quality === 0) continue;
    // Quality first; then a type that was named before one that a wildcard allowed; among named ones the
    // order in the header, among the others what this client is likely to want.
    const named = match.specificity === 2;
    const order = named ? match.position : byClient.indexOf(representation);
    const rank = [match.quality, named ? 1 : 0, -order];
    if (best === undefined || compare(rank, best.rank) > 0) best = { representation, rank };
  }
  return best?.representation;
}

interface MediaRange {
  readonly type: string;
  readonly quality: number;
  readonly position: number;
}

function parseAccept(accept: string): MediaRange[] {
  return accept.split(',', 64).flatMap((part, position) => {
    const [type = '', ...parameters] = part.split(';').map((piece) => piece.trim().toLowerCase());
    if (!/^(?:\*\/\*|[\w!#$&^.+-]+\/(?:\*|[\w!#$&^.+-]+))$/.test(type)) return [];
    const weight = parameters.find((parameter) => parameter.startsWith('q='));
    if (weight === undefined) return [{ type, quality: 1, position }];
    // A weight that is none (RFC 9110 §12.4.2) makes the range useless, not preferred.
    return /^q=(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight)
      ? [{ type, quality: Number(weight.slice(2)), position }]
      : [];
  });
}

function bestMatch(type: string, ranges: readonly MediaRange[]) {
  const group = `${type.slice(0, type.indexOf('/'))}/*`;
  let best: { quality: number; specificity: number; position: number } | undefined;
  for (const range of ranges) {
    const specificity = range.type === type ? 2 : range.type === group ? 1 : range.type === '*/*' ? 0 : -1;
    if (specificity > (best?.specificity ?? -1)) best = { ...range, specificity };
  }
  return best;
}

function compare(a: readonly number[], b: readonly number[]): number {
  const index = a.findIndex((value, at) => value !== b[at]);
  return index < 0 ? 0 : a[index]! - b[index]!;
}
