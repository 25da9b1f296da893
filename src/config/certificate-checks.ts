import { bogonKind } from '../core/bogon.ts';
import { isIpAddress, parseIpAddress } from '../core/ip-address.ts';
import { isLetsEncrypt } from './lets-encrypt.ts';
import type { Problem } from './problem.ts';
import type { Values } from './value.ts';

/** What the names of certificates ask of the rest of the configuration. */
export function checkCertificateNames(values: Values): Problem[] {
  return [
    ...wildcardsHaveHook(values),
    ...addressesShareOne(values),
    ...publicAuthoritiesGetPublicNames(values),
    ...wildcardsCoverNoOther(values),
  ];
}

/** RFC 8555 §7.1.3 and every authority: a wildcard is proven over DNS alone. */
function wildcardsHaveHook({ certificates, certDnsHook }: Values): Problem[] {
  if (!certificates?.value || !certDnsHook || certDnsHook.value !== undefined) return [];
  return certificates.value
    .flat()
    .filter((name) => name.startsWith('*.'))
    .map((name) =>
      certificates.problem(
        `names ${name}, which needs CERT_DNS_HOOK: a wildcard is proven over DNS, not over port 80`,
      ),
    );
}

/**
 * An authority whose trust anchor is not given is one that everybody trusts, so no private address is signed there. What
 * names it takes is for Let's Encrypt known; another may be trusted by the host itself, and sign names of its network.
 */
function publicAuthoritiesGetPublicNames(values: Values): Problem[] {
  const { certificates, certCaFile, certDirectoryUrl, certFallbackDirectoryUrl, certFallbackCaFile } = values;
  if (!certificates?.value || !certCaFile || !certFallbackDirectoryUrl || !certFallbackCaFile) return [];
  const first = certCaFile.value === undefined ? certDirectoryUrl?.value : undefined;
  const second = certFallbackCaFile.value === undefined ? certFallbackDirectoryUrl.value : undefined;
  const why = (name: string, authority: string | undefined): string | undefined => {
    if (authority === undefined) return undefined;
    return whyPrivateAddress(name) ?? (isLetsEncrypt(authority) ? whyPrivateName(name) : undefined);
  };
  return certificates.value.flat().flatMap((name) => {
    const atFirst = why(name, first);
    const atSecond = why(name, second);
    if (atFirst !== undefined) return [certificates.problem(`names ${name}, ${atFirst}: ${wayOut}`)];
    if (atSecond !== undefined)
      return [certificates.problem(`names ${name}, ${atSecond}: ${wayOutAtSecond}`)];
    return [];
  });
}

const wayOut =
  'no public authority signs it: take it out (APP_PUBLIC_NAMES is answered to without a certificate), or set ' +
  'CERT_CA_FILE to the trust anchor of a private authority';
const wayOutAtSecond =
  'the public authority of CERT_FALLBACK_DIRECTORY_URL will not sign it: take that out, or set ' +
  'CERT_FALLBACK_CA_FILE to its trust anchor where it is a private one';

/** Clients send no address as server name (RFC 6066 §3): only one certificate can be for those who come by address. */
function addressesShareOne({ certificates }: Values): Problem[] {
  const withAddress = certificates?.value?.flatMap((names) => names.find(isIpAddress) ?? []) ?? [];
  const [first, ...others] = withAddress;
  return others.flatMap(
    (address) =>
      certificates?.problem(
        `names ${address} in another certificate than ${first}: clients that come by address cannot be told apart, ` +
          'so put all addresses into one, with commas',
      ) ?? [],
  );
}

/** Boulder refuses such an order; a private authority may be asked for it. */
function wildcardsCoverNoOther({ certificates, certCaFile }: Values): Problem[] {
  if (!certificates?.value || !certCaFile || certCaFile.value !== undefined) return [];
  return certificates.value.flatMap((names) =>
    names.flatMap((name) => {
      const wildcard = name.replace(/^[^.*]+/, '*');
      if (wildcard === name || !names.includes(wildcard)) return [];
      return [
        certificates.problem(`names ${name} beside ${wildcard}, which covers it: leave one of them out`),
      ];
    }),
  );
}

/**
 * Ends of names that are no part of the public DNS: RFC 6761, 6762 with its appendix G, 7686, 8375, 9476, and
 * `internal`, which ICANN keeps free for this use. `example` is left to the authority: whoever writes it tries things out.
 */
const privateEnds = (
  'local localhost internal test invalid onion alt home.arpa in-addr.arpa ip6.arpa ' +
  'intranet private corp home lan localdomain'
).split(' ');

/** Why no public authority may sign it (CA/Browser Forum, Baseline Requirements §4.2.2); undefined where one may. */
function whyPrivateAddress(name: string): string | undefined {
  const address = parseIpAddress(name);
  const kind = address && bogonKind(address);
  return kind === undefined ? undefined : `an address that is not public (${kind.replaceAll('-', ' ')})`;
}

function whyPrivateName(name: string): string | undefined {
  if (isIpAddress(name)) return undefined;
  if (!name.includes('.')) return 'a name of one part, which means something in one network alone';
  const end = privateEnds.find((end) => name.endsWith(`.${end}`));
  return end === undefined ? undefined : `and names under .${end} are not public`;
}
