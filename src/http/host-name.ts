/**
 * Says whether a request's `Host` is one of our names: exactly, or, for a name that starts with `*.`, with one
 * label in the star's place. Port, case and a closing dot make no difference; brackets of IPv6 neither. With no
 * names every `Host` is ours.
 */
export function hostMatcher(names: readonly string[]): (host: string) => boolean {
  if (names.length === 0) return () => true;
  const exact = new Set(names.map((name) => name.toLowerCase()));
  const isOurs = (name: string): boolean =>
    exact.has(name) || (name.includes('.') && exact.has(`*${name.slice(name.indexOf('.'))}`));
  // Nearly all requests come under the very same text.
  let lastOurs: string | undefined;
  return (host) => {
    if (host === lastOurs) return true;
    if (!isOurs(hostName(host))) return false;
    lastOurs = host;
    return true;
  };
}

/** The name or address of a `Host`, without port, brackets and closing dot, in lower case. */
export function hostName(host: string): string {
  const withoutPort = host.startsWith('[')
    ? host.slice(1, Math.max(1, host.indexOf(']')))
    : host.replace(/:\d*$/, '');
  return withoutPort.replace(/\.$/, '').toLowerCase();
}
