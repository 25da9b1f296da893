import { Resolver } from 'node:dns/promises';

const timeoutMs = 1000;
const rememberMs = 10 * 60 * 1000;
const maxRemembered = 2000;

/**
 * The name of an address by the host's resolver (PTR), remembered for ten minutes, undefined where there is none
 * or no answer within a second. `servers` replaces the host's resolvers, each as `ADDRESS:PORT`.
 */
export function createReverseDns(
  servers?: readonly string[],
): (address: string) => Promise<string | undefined> {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 1 });
  if (servers !== undefined) resolver.setServers([...servers]);
  const remembered = new Map<
    string,
    { readonly name: Promise<string | undefined>; readonly until: number }
  >();

  return (address) => {
    const now = Date.now();
    const known = remembered.get(address);
    if (known !== undefined && known.until > now) return known.name;
    if (remembered.size >= maxRemembered) remembered.clear();
    const name = resolver.reverse(address).then(
      (names) => names[0],
      () => undefined,
    );
    remembered.set(address, { name, until: now + rememberMs });
    return name;
  };
}
