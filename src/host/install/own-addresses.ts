import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';
import { bogonKind } from '../../core/bogon.ts';
import { parseIpAddress } from '../../core/ip-address.ts';

/** The addresses of a host's interfaces but its loopback ones; IPv4 first, link-local ones left out. */
export interface OwnAddresses {
  readonly public: readonly string[];
  /** Those that mean something in their own network alone. */
  readonly private: readonly string[];
}

export function ownAddresses(
  interfaces: Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>> = networkInterfaces(),
): OwnAddresses {
  const found = Object.entries(interfaces)
    // what Docker makes for its containers is nobody's way in
    .filter(([name]) => !/^(docker\d|br-|veth)/.test(name))
    .flatMap(([, addresses]) => addresses ?? [])
    .filter(({ internal }) => !internal)
    .map(({ address }) => parseIpAddress(address.replace(/%.*$/, '')))
    .filter((address) => address !== undefined)
    .filter(({ text }) => !/^(fe[89ab].:|169\.254\.)/.test(text))
    .sort((a, b) => a.version - b.version);
  const isPublic = (address: (typeof found)[number]) => bogonKind(address) === undefined;
  const texts = (list: typeof found) => [...new Set(list.map(({ text }) => text))];
  return {
    public: texts(found.filter(isPublic)),
    private: texts(found.filter((address) => !isPublic(address))),
  };
}
