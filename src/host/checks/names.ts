import { networkInterfaces } from 'node:os';
import { Failure, reasonOf } from '../../core/errors.ts';
import { isIpAddress, parseIpAddress } from '../../core/ip-address.ts';
import { type Check, type HostContext, ok, skipped, warning } from './check.ts';

/**
 * Where the names lead. NAT and clouds make them differ from what the host sees of itself, and a name may be made public after
 * the host is, so that is never a failure. Nobody goes to a wildcard itself.
 */
const dns: Check = {
  name: 'dns',
  title: 'DNS of the names',
  async run({ names, resolver, dnsHook }, signal) {
    const asked = names.filter((name) => !isIpAddress(name) && !name.startsWith('*.'));
    if (asked.length === 0) return skipped('there is no name to look up');
    if (resolver === undefined) return skipped('DNS is not asked');
    const own = ownAddresses();
    const troubles: string[] = [];
    const remedies = new Set<string>();
    // at once: a silent server takes its time for each
    const answers = await Promise.allSettled(asked.map((name) => resolver.addresses(name, signal)));
    for (const [at, name] of asked.entries()) {
      const answer = answers[at]!;
      if (answer.status === 'rejected') {
        const error: unknown = answer.reason;
        troubles.push(reasonOf(error));
        remedies.add((error instanceof Failure ? error.remedy : undefined) ?? 'ask again later');
        continue;
      }
      const addresses = answer.value;
      if (addresses.length === 0) {
        const unsigned = dnsHook ? '' : ' and no public authority will sign it';
        troubles.push(`${name} has no address in DNS: nobody can reach it${unsigned}`);
        remedies.add('add an A or AAAA record');
      } else if (!addresses.some((address) => own.has(parseIpAddress(address)?.text ?? ''))) {
        troubles.push(
          `${name} leads to ${addresses.join(', ')}, and this host has ${[...own].join(', ') || 'no address of its own'}`,
        );
        remedies.add(
          'behind NAT and in clouds another address is normal; else set the A and AAAA records of the name to this host',
        );
      }
    }
    if (troubles.length === 0)
      return ok(`${asked.length === 1 ? 'the name leads' : 'all names lead'} to this host`);
    return warning(troubles.join('; '), [...remedies].join('; '));
  },
};

function ownAddresses(withLoopback = false): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const others = all.filter(
    ({ internal, address }) => (withLoopback || !internal) && !/^fe80:/i.test(address),
  );
  return new Set(others.map(({ address }) => parseIpAddress(address)?.text ?? address));
}

/** An address among the names has to be one that others reach. */
const addresses: Check<Pick<HostContext, 'names'>> = {
  name: 'addresses',
  title: 'addresses among names',
  run({ names }) {
    const own = ownAddresses(true);
    const listed = names.filter(isIpAddress);
    if (listed.length === 0) return skipped('no name is an address');
    const foreign = listed.filter((name) => !own.has(parseIpAddress(name)?.text ?? ''));
    if (foreign.length === 0)
      return ok(`${listed.join(', ')} ${listed.length === 1 ? 'is' : 'are'} of this host`);
    return warning(
      `${foreign.join(', ')} ${foreign.length === 1 ? 'is no address' : 'are no addresses'} of this host`,
      'behind NAT and in clouds that is normal; else see "ip address"',
    );
  },
};

export const nameChecks: readonly Check[] = [dns, addresses];
