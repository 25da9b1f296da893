/** A command to copy and what it answers. */
export interface Command {
  readonly command: string;
  readonly answer: string;
}

/** A name or address with or without a port; anything else could mean something to a shell. */
const plainHost = /^(?:[a-z0-9](?:[a-z0-9.-]{0,252})|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i;

/**
 * What to type in a terminal to get the same. `host` is the request's own `Host`; what does not look like one
 * is not repeated. `askedAddress` is the address that was asked about, if not the caller's.
 */
export function commandsFor(host: string, askedAddress: string | undefined): readonly Command[] {
  const server = plainHost.test(host) ? host : 'this-server.example';
  const curl = (path: string) => `curl ${quoted(server + path)}`;
  const query = askedAddress === undefined ? '' : `?ip=${askedAddress}`;
  return [
    askedAddress === undefined
      ? { command: curl(''), answer: 'your address and nothing else' }
      : { command: curl(`/asn-org${query}`), answer: 'its operator' },
    { command: curl(`/country${query}`), answer: 'one fact: country, city, asn, network …' },
    { command: curl(`/json${query}`), answer: 'everything, as JSON' },
    ...(askedAddress === undefined
      ? [{ command: curl('/json?ip=9.9.9.9'), answer: 'about any other address' }]
      : []),
  ];
}

/** Shells read `?` and `[` as patterns. */
function quoted(word: string): string {
  return /^[\w.:/-]+$/.test(word) ? word : `'${word}'`;
}
