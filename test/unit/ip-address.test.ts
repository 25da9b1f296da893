import { BlockList, isIPv4, isIPv6, SocketAddress } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decimalText,
  ipAddressFromBytes,
  networkContains,
  networkText,
  parseIpAddress,
  parseNetwork,
  type IpAddress,
} from '../../src/core/ip-address.ts';

const text = (source: string): string | undefined => parseIpAddress(source)?.text;

describe('parseIpAddress', () => {
  it.each([
    ['0.0.0.0', '0.0.0.0', 4],
    ['255.255.255.255', '255.255.255.255', 4],
    ['1.2.3.4', '1.2.3.4', 4],
    ['127.0.0.1', '127.0.0.1', 4],
    ['::', '::', 6],
    ['::1', '::1', 6],
    ['1::', '1::', 6],
    ['2001:DB8::A', '2001:db8::a', 6],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8', 6],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8', 6],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0', 6],
    ['1:2:3::5:6:7:8', '1:2:3:0:5:6:7:8', 6],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221', 6],
    ['1:2:3:4:5:6:192.0.2.33', '1:2:3:4:5:6:c000:221', 6],
    // IPv4-compatible (deprecated, RFC 4291 §2.5.5.1): another address than 9.9.9.9.
    ['::9.9.9.9', '::909:909', 6],
    ['::909:909', '::909:909', 6],
    ['::ffff:0:9.9.9.9', '::ffff:0:909:909', 6],
    // IPv4-mapped (RFC 4291 §2.5.5.2): the IPv4 address.
    ['::ffff:9.9.9.9', '9.9.9.9', 4],
    ['::FFFF:909:909', '9.9.9.9', 4],
    ['0:0:0:0:0:ffff:0:0', '0.0.0.0', 4],
    ['0000:0000:0000:0000:0000:ffff:255.255.255.255', '255.255.255.255', 4],
    // A zone (RFC 4007 §11) means something on one machine only.
    ['fe80::1%eth0', 'fe80::1', 6],
    ['fe80::1%1', 'fe80::1', 6],
    ['fe80::1%en-0.100_a~', 'fe80::1', 6],
    ['::ffff:9.9.9.9%eth0', '9.9.9.9', 4],
  ] as const)('reads %s as %s', (source, canonical, version) => {
    expect(parseIpAddress(source)).toMatchObject({ text: canonical, version });
  });

  it.each([
    // RFC 5952 §1 and §2
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8::1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:db8:0000:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:DB8:0:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd::1', '2001:db8:aaaa:bbbb:cccc:dddd:0:1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd:0:1', '2001:db8:aaaa:bbbb:cccc:dddd:0:1'],
    ['2001:db8:0:0:0::1', '2001:db8::1'],
    ['2001:db8:0:0::1', '2001:db8::1'],
    ['2001:db8:0::1', '2001:db8::1'],
    ['2001:db8::aaaa:0:0:1', '2001:db8::aaaa:0:0:1'],
    ['2001:db8:0:0:aaaa::1', '2001:db8::aaaa:0:0:1'],
    ['2001:DB8:AAAA:BBBB:CCCC:DDDD:EEEE:AAAA', '2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa'],
    // §4.2: as short as possible, one group stays, the longest run, of equal ones the first
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['1:0:0:2:0:0:3:4', '1::2:0:0:3:4'],
    ['0:0:1:0:0:0:0:0', '0:0:1::'],
  ])('writes %s as RFC 5952 does: %s', (source, canonical) => {
    expect(text(source)).toBe(canonical);
  });

  it.each([
    '',
    ' ',
    '.',
    ':',
    ':::',
    '%',
    '%eth0',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.4.',
    '.1.2.3.4',
    '1..2.3',
    '1.2.3.256',
    '1.2.3.999',
    '1.2.3.-4',
    '+1.2.3.4',
    '1.2.3.4e0',
    '01.2.3.4',
    '1.2.3.04',
    '00.0.0.0',
    '000.0.0.0',
    '0177.0.0.1',
    '0x7f.0.0.1',
    '0x7f000001',
    '2130706433',
    '1.2.3.4%eth0',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '1.2.3.4\n',
    '1.2.3.4\0',
    '1.2.3.4:80',
    '1.2.3.4/32',
    '[1.2.3.4]',
    '１.2.3.4',
    '١.2.3.4',
    '1.2.3.４',
    '1。2。3。4',
    '[::1]',
    '[::1]:80',
    '::1/128',
    ' ::1',
    '::1 ',
    '::1\n',
    '\t::1',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    ':1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:',
    ':1:2:3:4:5:6:7:8',
    '1:2:3:4:5:6:7:8:',
    '1:2:3:4::5:6:7:8',
    '::1:2:3:4:5:6:7:8',
    '1:2:3:4:5:6:7:8::',
    '1::2::3',
    '::1::',
    ':::1',
    '1:::2',
    '12345::',
    '00001::',
    'g::',
    '::-1',
    '::+1',
    '::0x1',
    '::１',
    '::1.2.3',
    '::1.2.3.256',
    '::01.2.3.4',
    '::1.2.3.4:5',
    '1.2.3.4::',
    '::1.2.3.4.5',
    '1:2:3:4:5:6:7:1.2.3.4',
    '1:2:3:4:5:1.2.3.4',
    'fe80::1%',
    'fe80::1%%',
    'fe80::1%eth0 ',
    'fe80::1%eth/0',
    'fe80::1%eth0%eth1',
    'fe80::1%é',
    'localhost',
    'unknown',
    'NaN',
    'undefined',
    '__proto__',
  ])('refuses %j', (source) => {
    expect(parseIpAddress(source)).toBeUndefined();
  });

  it('refuses texts of ten thousand characters', () => {
    for (const part of ['1', '.', ':', '0', '1.', '1:', '::', '%', '1.2.3.4', 'fe80::1%a', '\0', 'é'])
      expect(parseIpAddress(part.repeat(10_000 / part.length))).toBeUndefined();
    expect(parseIpAddress(`fe80::1%${'a'.repeat(10_000)}`)).toBeUndefined();
    expect(parseIpAddress(`${' '.repeat(10_000)}1.2.3.4`)).toBeUndefined();
  });

  /** Texts that are addresses, nearly are, or are not at all. */
  const part = fc.constantFrom(
    ...'0123456789abcdefABCDEF::::....% -gx',
    '::',
    '255',
    '256',
    'ffff',
    '1.2.3.4',
    '0:0',
    '::ffff:',
    '00',
  );
  const anyText = fc.oneof(
    fc.array(part, { maxLength: 24 }).map((parts) => parts.join('')),
    fc.ipV4(),
    fc.ipV4Extended(),
    fc.ipV6(),
    fc.tuple(fc.ipV6(), part, fc.nat(40)).map(([ip, bit, at]) => ip.slice(0, at) + bit + ip.slice(at)),
    fc.tuple(fc.ipV6(), fc.nat(40)).map(([ip, at]) => ip.slice(0, at) + ip.slice(at + 1)),
    fc.string({ maxLength: 40 }),
  );

  it('takes exactly what the operating environment takes for an address', () => {
    fc.assert(
      fc.property(anyText, (source) => {
        if (source.includes('%')) return;
        expect(parseIpAddress(source) !== undefined).toBe(isIPv4(source) || isIPv6(source));
      }),
      { numRuns: 30_000 },
    );
  });

  it('writes addresses as the operating environment does', () => {
    fc.assert(
      fc.property(fc.ipV6(), (source) => {
        const { address } = new SocketAddress({ address: source, family: 'ipv6' });
        // It writes ::1.2.3.4 in mixed notation.
        if (!address.includes('.')) expect(text(source)).toBe(address);
      }),
      { numRuns: 10_000 },
    );
  });

  const words = fc.tuple(word(), word(), word(), word());
  const bytes = fc.oneof(
    word().map((value) => bytesOf([value])),
    words.map(bytesOf),
    word().map((value) => bytesOf([0, 0, 0xffff, value])),
    word().map((value) => bytesOf([0, 0, 0, value])),
  );

  it('reads back its own text, and no two addresses share one', () => {
    fc.assert(
      fc.property(bytes, bytes, (one, other) => {
        const a = ipAddressFromBytes(one);
        const b = ipAddressFromBytes(other);
        expect(parseIpAddress(a.text)).toEqual(a);
        expect(a.text === b.text).toBe(a.version === b.version && a.words.join() === b.words.join());
      }),
      { numRuns: 10_000 },
    );
  });

  it('gives one text for every way to write an address', () => {
    fc.assert(
      fc.property(words, fc.boolean(), fc.boolean(), (value, capitals, mixed) => {
        const { text: canonical } = ipAddressFromBytes(bytesOf(value));
        const groups = value.flatMap((each) => [each >>> 16, each & 0xffff]);
        let written = groups.map((group) => group.toString(16).padStart(4, '0')).join(':');
        if (mixed) written = `${written.slice(0, 30)}${ipAddressFromBytes(bytesOf([value[3]])).text}`;
        expect(text(capitals ? written.toUpperCase() : written)).toBe(canonical);
      }),
    );
  });

  it('takes the bytes of a mapped address for the IPv4 address', () => {
    expect(ipAddressFromBytes(bytesOf([0, 0, 0xffff, 0x0909_0909]))).toEqual(parseIpAddress('9.9.9.9'));
    expect(ipAddressFromBytes(bytesOf([0, 0, 0, 0x0909_0909])).text).toBe('::909:909');
    expect(ipAddressFromBytes(bytesOf([0xffff_ffff])).text).toBe('255.255.255.255');
  });
});

describe('decimalText', () => {
  it.each([
    ['0.0.0.0', '0'],
    ['9.9.9.9', '151587081'],
    ['255.255.255.255', '4294967295'],
    ['::', '0'],
    ['::1', '1'],
    ['2001:db8::1', '42540766411282592856903984951653826561'],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '340282366920938463463374607431768211455'],
  ])('gives all digits of %s', (source, digits) => {
    expect(decimalText(parseIpAddress(source)!)).toBe(digits);
  });
});

describe('parseNetwork', () => {
  it.each([
    ['0.0.0.0/0', 4, 0],
    ['10.0.0.0/8', 4, 8],
    ['128.0.0.0/1', 4, 1],
    ['192.0.2.1', 4, 32],
    ['192.0.2.1/32', 4, 32],
    ['192.0.2.0/31', 4, 31],
    ['::/0', 6, 0],
    ['8000::/1', 6, 1],
    ['2001:db8::/32', 6, 32],
    ['2001:db8:8000::/33', 6, 33],
    ['::1', 6, 128],
    ['::1/128', 6, 128],
    ['::ffff:10.0.0.0/104', 4, 8],
    ['::ffff:0:0/96', 4, 0],
    ['::ffff:10.0.0.1/128', 4, 32],
    ['::ffff:10.0.0.1', 4, 32],
  ] as const)('reads %s', (source, version, prefixLength) => {
    expect(parseNetwork(source)).toMatchObject({ version, prefixLength });
  });

  it.each([
    '',
    '/',
    '/8',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/+8',
    '10.0.0.0/08',
    '10.0.0.0/8.0',
    '10.0.0.0/1e1',
    '10.0.0.0/ 8',
    '10.0.0.0/8 ',
    '10.0.0.0/8/8',
    '10.0.0.0/٨',
    '10.0.0.0/255.0.0.0',
    '10.0.0.0/999999999999999999999',
    '10/8',
    '10.0.0.1/8',
    '10.0.0.1/0',
    '10.0.0.1/31',
    '::/129',
    '::1/127',
    '2001:db8::1/32',
    '2001:db8:0:1::/63',
    '::ffff:10.0.0.0/95',
    '::ffff:10.0.0.0/8',
    '::ffff:10.0.0.1/104',
    'fe80::%eth0/10',
    'fe80::1%eth0',
    '[::1]/128',
  ])('refuses %j', (source) => {
    expect(parseNetwork(source)).toBeUndefined();
  });

  const anyAddress = fc.oneof(
    word().map((value) => ipAddressFromBytes(bytesOf([value]))),
    fc.tuple(word(), word(), word(), word()).map((value) => ipAddressFromBytes(bytesOf(value))),
  );
  const addressAndLength = anyAddress.chain((address) =>
    fc.tuple(fc.constant(address), fc.nat(address.words.length * 32)),
  );

  it('takes the network of any address, and only without host bits', () => {
    fc.assert(
      fc.property(addressAndLength, ([address, length]) => {
        const canonical = networkText(address, length);
        const network = parseNetwork(canonical)!;
        expect(network).toMatchObject({ version: address.version, prefixLength: length });
        expect(networkContains(network, address)).toBe(true);
        expect(parseNetwork(`${address.text}/${length}`) !== undefined).toBe(
          canonical === `${address.text}/${length}`,
        );
      }),
      { numRuns: 5000 },
    );
  });

  it('contains what a block list of the operating environment contains', () => {
    const family = ({ version }: IpAddress) => (version === 4 ? 'ipv4' : 'ipv6');
    fc.assert(
      fc.property(addressAndLength, anyAddress, fc.nat(127), ([inside, length], other, bit) => {
        const network = parseNetwork(networkText(inside, length))!;
        const list = new BlockList();
        list.addSubnet(inside.text, length, family(inside));
        for (const address of [inside, flipped(inside, bit), other]) {
          expect(networkContains(network, address)).toBe(
            address.version === network.version && list.check(address.text, family(address)),
          );
        }
      }),
      { numRuns: 5000 },
    );
  });

  it('contains nothing of the other family', () => {
    const holds = (network: string, address: string) =>
      networkContains(parseNetwork(network)!, parseIpAddress(address)!);
    expect(holds('0.0.0.0/0', '::')).toBe(false);
    expect(holds('::/0', '0.0.0.0')).toBe(false);
    expect(holds('::/0', '::ffff:1.2.3.4')).toBe(false);
    expect(holds('9.9.9.9', '::909:909')).toBe(false);
    expect(holds('::ffff:9.9.9.0/120', '9.9.9.9')).toBe(true);
  });
});

/** 32 bits, often with long runs of zeros or ones. */
function word(): fc.Arbitrary<number> {
  return fc.oneof(
    fc.constantFrom(0, 1, 0xffff, 0x1_0000, 0x8000_0000, 0xffff_0000, 0xffff_ffff),
    fc.integer({ min: 0, max: 0xffff_ffff }),
  );
}

function bytesOf(words: readonly number[]): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(words.length * 4));
  for (const [index, value] of words.entries()) view.setUint32(index * 4, value);
  return view.buffer;
}

function flipped(address: IpAddress, bit: number): IpAddress {
  const words = [...address.words];
  const index = (bit >>> 5) % words.length;
  words[index] = (words[index]! ^ (1 << (bit & 31))) >>> 0;
  return ipAddressFromBytes(bytesOf(words));
}
