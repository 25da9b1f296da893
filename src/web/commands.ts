/** A command to copy and what it answers. */
interface Command {
  readonly command: string;
  readonly answer: string;
}

/** A name or address with or without a port; anything else could mean something to a shell. */
const plainHost = /^(?:[a-z0-9](?:[a-z0-9.-]{0,252})|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/i;

/**
 * What to type in a terminal to get the same. `host` is the request's own `Host`; what does not look like one
 * is not repeated. `askedAddress` is the public address that was asked about; without one the commands are
 * about the caller.
 */
export function commandsFor(host: string, askedAddress: string | undefined): readonly Command[] {
  const server = plainHost.test(host) ? host : 'this-server.example';
  const curl = (path: string) => `curl ${quoted(server + path)}`;
  // A fact of an address that is on no public network is a 404: the example asks for one that is.
  const about = askedAddress ?? '9.9.9.9';
  const fact = {
    command: curl(`/asn-org?ip=${about}`),
    answer: 'one fact and nothing else',
  };
  if (askedAddress !== undefined) {
    return [{ command: curl(`/json?ip=${about}`), answer: 'everything, as JSON' }, fact];
  }
  return [
    { command: curl(''), answer: 'your address and nothing else' },
    { command: curl('/json'), answer: 'everything that is known of it, as JSON' },
    { command: curl(`/json?ip=${about}`), answer: 'the same for any other address' },
    fact,
  ];
}

/** Shells read `?` and `[` as patterns. */
function quoted(word: string): string {
  return /^[\w.:/-]+$/.test(word) ? word : `'${word}'`;
}
