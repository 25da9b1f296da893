import { domainToASCII } from 'node:url';

import { parseIpAddress } from '../core/ip-address.ts';
import { type Kind, Refusal } from './kind.ts';
import { canonicalName } from './network-parsers.ts';

/** Let's Encrypt signs no more in one certificate, and few authorities do. */
const maxNames = 100;

const oneName = 'a DNS name, *. and a DNS name, or an IP address, without scheme, port, path or brackets';

/** One name of a certificate, in the form that certificates have it in: lower case, an address as RFC 5952 writes it. */
export const certificateName: Kind<string> = { allowed: oneName, parse: parseName, format: String };

/**
 * The certificates that are wanted, each with its names: commas between the names of one, a semicolon before the next.
 * Names are checked strictly and never bent into shape, because what stands here is what an authority is asked for.
 */
export const certificateLists: Kind<readonly (readonly string[])[]> = {
  allowed: `names with commas between them, a semicolon before those of another certificate; each ${oneName}`,
  parse(text) {
    const refusals: Refusal[] = [];
    const seen = new Map<string, number>();
    const certificates = text.split(';').map((list, certificate) => {
      const names: string[] = [];
      for (const piece of list.split(',').map((untrimmed) => untrimmed.trim())) {
        const name = parseName(piece);
        const before = typeof name === 'string' ? seen.get(name) : undefined;
        if (name instanceof Refusal) refusals.push(name);
        else if (before !== undefined) refusals.push(duplicate(piece, before === certificate));
        else {
          seen.set(name, certificate);
          names.push(name);
        }
      }
      if (names.length > maxNames) refusals.push(tooMany(list, names));
      return names;
    });
    const [first, ...others] = refusals;
    return first === undefined ? certificates : new Refusal(first.found, first.why, others);
  },
  format: (certificates) => certificates.map((names) => names.join(',')).join(';'),
};

function duplicate(name: string, inSame: boolean): Refusal {
  const where = inSame ? 'twice' : 'for two certificates';
  return new Refusal(name, `it stands here ${where}: leave one of them out`);
}

function tooMany(list: string, names: readonly string[]): Refusal {
  const why =
    `${names.length} names for the certificate of ${names[0]}, and ${maxNames} is the most: ` +
    'begin another with a semicolon';
  return new Refusal(list.trim(), why);
}

function parseName(text: string): string | Refusal {
  const refuse = (why?: string) => new Refusal(text, why);
  if (text === '') return refuse('there is nothing between two commas or semicolons, or at an end');
  const [, star = '', bare = ''] = /^(\*\.)?(.*)$/s.exec(text) ?? [];
  if (/[^\0-\x7f]/.test(text)) return refuse(international(star, bare));
  if (/\s/.test(text)) return refuse('names have a comma between them');
  if (text.includes('/')) return refuse('write the name alone, without scheme and path');
  const [, bracketed, named] = /^(?:\[([^\]]*)\](?::\d*)?|([^:]*):\d*)$/.exec(text) ?? [];
  if (bracketed !== undefined || named !== undefined) {
    return refuse(`write it without brackets and port: ${bracketed ?? named}`);
  }
  if (/[^.]\.$/.test(text)) return refuse(`write it without the dot at its end: ${text.slice(0, -1)}`);

  const address = text.includes('%') ? undefined : parseIpAddress(text);
  if (address?.version === 4 && text.includes(':')) return refuse(`write it as IPv4: ${address.text}`);
  if (address !== undefined) return address.text;
  if (bare.includes('*')) {
    return refuse('a * stands for the whole first part of a name and nowhere else: *.example.com');
  }
  if (star !== '' && parseIpAddress(bare) !== undefined) return refuse('an address has no wildcard');
  if (star !== '' && !bare.includes('.')) return refuse('behind *. at least two parts are wanted');

  const long = bare.split('.').find((label) => label.length > 63);
  if (long !== undefined) return refuse(`a part of it has ${long.length} characters, and 63 is the most`);
  if (text.length > 253) return refuse(`it has ${text.length} characters, and 253 is the most`);
  if (/(^|\.)\d+$/.test(bare)) return refuse('no name ends in a number: is it a mistyped address?');
  const name = canonicalName(bare);
  return name === undefined ? refuse() : star + name;
}

/** Which name that is in the letters of DNS (RFC 5890) is the owner's to say: two that look the same may differ. */
function international(star: string, bare: string): string {
  const ascii = domainToASCII(bare).replace(/\.$/, '');
  return ascii === '' ? 'it has characters that no name has' : `international letters: write ${star}${ascii}`;
}
