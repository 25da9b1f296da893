import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseIpAddress, parseNetwork, networkContains } from '../../src/core/ip-address.ts';
import { clientAddressRule, type ClientAddressHeader } from '../../src/http/client-address.ts';

const trusted = ['127.0.0.0/8', '::1', '10.0.0.0/8', 'fd00::/8'].map((text) => parseNetwork(text)!);
const peerText = '127.0.0.1';

/** Who the client is, asked by a trusted peer unless another is named. */
function client(header: ClientAddressHeader, lines: readonly string[], peer = peerText): string {
  return clientAddressRule(header, trusted)(parseIpAddress(peer)!, lines).text;
}
const byXff = (...lines: string[]) => client('x-forwarded-for', lines);
const byForwarded = (...lines: string[]) => client('forwarded', lines);

describe('X-Forwarded-For', () => {
  it.each([
    ['an IPv4 address', '192.0.2.1', '192.0.2.1'],
    ['an IPv6 address', '2001:db8::1', '2001:db8::1'],
    ['an IPv6 address in full and in capitals', '2001:0DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['a mapped address, which is IPv4', '::ffff:192.0.2.1', '192.0.2.1'],
    ['a mapped address in hexadecimal', '::ffff:c000:201', '192.0.2.1'],
    ['a zone, which means something elsewhere only', 'fe80::1%eth0', 'fe80::1'],
    ['an IPv4 address with a port', '192.0.2.1:4711', '192.0.2.1'],
    ['an IPv6 address in brackets', '[2001:db8::1]', '2001:db8::1'],
    ['an IPv6 address in brackets with a port', '[2001:db8::1]:4711', '2001:db8::1'],
    ['a mapped address in brackets with a port', '[::ffff:192.0.2.1]:4711', '192.0.2.1'],
    ['a zone in brackets', '[fe80::1%eth0]:80', 'fe80::1'],
    ['white space around it', ' \t 192.0.2.1\t ', '192.0.2.1'],
    ['a list, of which the right-most counts', '198.51.100.1, 192.0.2.1', '192.0.2.1'],
    ['a list without spaces', '198.51.100.1,192.0.2.1', '192.0.2.1'],
    ['empty entries', ', ,192.0.2.1, ,,', '192.0.2.1'],
    ['a trusted hop behind it', '192.0.2.1, 10.1.2.3', '192.0.2.1'],
    [
      'a trusted chain behind it',
      '198.51.100.1, 192.0.2.1, 10.1.2.3, fd00::1, ::1, 10.0.0.1:80',
      '192.0.2.1',
    ],
    ['mapped trusted hops behind it', '192.0.2.1, ::ffff:10.1.2.3', '192.0.2.1'],
    ['only trusted entries: the left-most', '10.9.9.9, 10.1.1.1, 127.0.0.1', '10.9.9.9'],
    ['an entry left of garbage, which is not believed', '8.8.8.8, unknown, 10.1.1.1', '10.1.1.1'],
    ['an entry left of an obfuscated name', '8.8.8.8, _hidden', peerText],
    ['an entry left of a garbage entry', '8.8.8.8, 192.0.2.1 and more', peerText],
  ])('reads %s', (_what, line, expected) => {
    expect(byXff(line)).toBe(expected);
  });

  it.each([
    '',
    ' ',
    ',',
    ',,, ,\t,',
    'unknown',
    '_hidden',
    'null',
    '-',
    'localhost',
    '192.0.2.256',
    '192.0.2',
    '192.0.2.1.',
    '192.0.02.1',
    '0x7f.1',
    '3232235777',
    '192.0.2.1:port',
    '192.0.2.1:',
    '192.0.2.1:123456',
    '192.0.2.1:_',
    '192.0.2.1:_p 1',
    '[2001:db8::1]:_p:1',
    '192.0.2.1:80:80',
    '192.0.2.1/32',
    '[192.0.2.1]',
    '[192.0.2.1]:80',
    '[2001:db8::1',
    '2001:db8::1]',
    '[2001:db8::1]x',
    '[[2001:db8::1]]',
    '[]',
    '[]:80',
    '"192.0.2.1"',
    'for=192.0.2.1',
    '١٩٢.0.2.1',
    '192.0.2.1\0',
    '2001:db8::1::',
    '1'.repeat(10_000),
    ':'.repeat(10_000),
    '['.repeat(10_000),
    '"'.repeat(10_001),
  ])('takes the peer for the client where the one entry is %j', (line) => {
    expect(byXff(line)).toBe(peerText);
  });

  it('joins several lines in order', () => {
    expect(byXff('198.51.100.1', '192.0.2.1')).toBe('192.0.2.1');
    expect(byXff('198.51.100.1, 192.0.2.1', '10.1.1.1', '10.1.1.2, 10.1.1.3')).toBe('192.0.2.1');
    expect(byXff('192.0.2.1', '', ' , ')).toBe('192.0.2.1');
  });

  it('reads a thousand entries from the right', () => {
    const spoofed = new Array<string>(1000).fill('8.8.8.8').join(', ');
    expect(byXff(`${spoofed}, 192.0.2.1`)).toBe('192.0.2.1');
    expect(byXff(...new Array<string>(1000).fill('8.8.8.8'), '192.0.2.1')).toBe('192.0.2.1');
    const hops = new Array<string>(1000).fill('10.1.1.1').join(', ');
    expect(byXff(`192.0.2.1, ${hops}`)).toBe('192.0.2.1');
  });

  it('is not read when the peer is no trusted proxy', () => {
    expect(client('x-forwarded-for', ['8.8.8.8'], '203.0.113.7')).toBe('203.0.113.7');
    expect(client('x-forwarded-for', ['127.0.0.1'], '2001:db8::7')).toBe('2001:db8::7');
    expect(client('forwarded', ['for=8.8.8.8'], '203.0.113.7')).toBe('203.0.113.7');
  });

  it('lets nobody speak for others where no proxy is trusted', () => {
    const rule = clientAddressRule('x-forwarded-for', []);
    expect(rule(parseIpAddress('127.0.0.1')!, ['8.8.8.8']).text).toBe('127.0.0.1');
  });

  it('gives the peer where the header is absent', () => {
    expect(byXff()).toBe(peerText);
    expect(client('forwarded', [], '::1')).toBe('::1');
  });
});

describe('Forwarded (RFC 7239)', () => {
  it.each([
    ['an IPv4 address', 'for=192.0.2.1', '192.0.2.1'],
    ['a quoted IPv4 address', 'for="192.0.2.1"', '192.0.2.1'],
    ['a quoted IPv4 address with a port', 'for="192.0.2.1:4711"', '192.0.2.1'],
    ['a quoted IPv6 address', 'for="[2001:db8:cafe::17]"', '2001:db8:cafe::17'],
    ['a quoted IPv6 address with a port', 'for="[2001:db8:cafe::17]:4711"', '2001:db8:cafe::17'],
    ['an IPv4 address with an obfuscated port', 'for="192.0.2.1:_p1"', '192.0.2.1'],
    ['an IPv6 address with an obfuscated port', 'for="[2001:db8:cafe::17]:_a.b-c_1"', '2001:db8:cafe::17'],
    ['a quoted mapped address', 'for="[::ffff:192.0.2.1]"', '192.0.2.1'],
    ['escaped characters in quotes', 'for="1\\92.0.2.\\1"', '192.0.2.1'],
    ['a parameter name in capitals', 'For=192.0.2.1', '192.0.2.1'],
    ['a parameter name in more capitals', 'FOR="[2001:DB8::1]"', '2001:db8::1'],
    ['other parameters', 'for=192.0.2.1;proto=http;by=203.0.113.43', '192.0.2.1'],
    ['other parameters before it', 'by=203.0.113.43;proto=https;host=a.example;for=192.0.2.1', '192.0.2.1'],
    ['parameters that look like it', 'xfor=8.8.8.8;for=192.0.2.1;for2=9.9.9.9', '192.0.2.1'],
    ['a semicolon in quotes', 'host="a;for=8.8.8.8";for=192.0.2.1', '192.0.2.1'],
    ['a comma in quotes', 'for=192.0.2.1;host="a, for=8.8.8.8"', '192.0.2.1'],
    ['an escaped quote in quotes', 'for=192.0.2.1;host="a\\", for=8.8.8.8;x=\\"b"', '192.0.2.1'],
    ['an escaped backslash before a closing quote', 'for=192.0.2.1;host="a\\\\"', '192.0.2.1'],
    ['white space around elements and parameters', ' for=192.0.2.1 ; proto=http \t', '192.0.2.1'],
    ['empty parameters', ';for=192.0.2.1;;', '192.0.2.1'],
    ['a list, of which the right-most counts', 'for=198.51.100.1, for=192.0.2.1', '192.0.2.1'],
    ['a list without spaces', 'for=198.51.100.1,for="[2001:db8::1]"', '2001:db8::1'],
    ['a trusted chain behind it', 'for=192.0.2.1, for=10.1.1.1, for="[fd00::1]:80"', '192.0.2.1'],
    ['only trusted elements: the left-most', 'for=10.9.9.9;by=10.1.1.1, for=10.1.1.1', '10.9.9.9'],
    ['an element left of an unknown one', 'for=8.8.8.8, for=unknown, for=10.1.1.1', '10.1.1.1'],
    ['an element left of an obfuscated one', 'for=8.8.8.8, for="_gazonk"', peerText],
    ['an element left of one with no for', 'for=8.8.8.8, proto=https', peerText],
    ['an element left of one with two', 'for=8.8.8.8, for=192.0.2.1;for=192.0.2.2', peerText],
    [
      'an element left of one with two, differently written',
      'for=8.8.8.8, for=192.0.2.1;For="192.0.2.2"',
      peerText,
    ],
  ])('reads %s', (_what, line, expected) => {
    expect(byForwarded(line)).toBe(expected);
  });

  it.each([
    '',
    ',',
    ';',
    ';;,;',
    'for',
    'for=',
    'for=""',
    'for =192.0.2.1',
    'for= 192.0.2.1',
    '=192.0.2.1',
    '192.0.2.1',
    '"192.0.2.1"',
    'for=192.0.2.1:80',
    'for=[2001:db8::1]',
    'for=2001:db8::1',
    "for='192.0.2.1'",
    'for="192.0.2.1',
    'for=192.0.2.1"',
    'for="192.0.2.1"x',
    'for="192.0.2.1\\"',
    'for=192.0.2.1;"',
    'for=192.0.2.1;x',
    'for=192.0.2.1;x="\\',
    'for=192.0.2.1 proto=http',
    'by=192.0.2.1',
    'host=192.0.2.1;proto=http',
    'för=192.0.2.1',
    `for=${'1'.repeat(10_000)}`,
    `for="${'\\'.repeat(10_001)}"`,
    '"'.repeat(10_001),
    ';'.repeat(10_000),
    'for="'.repeat(3_000),
  ])('takes the peer for the client where the one element is %j', (line) => {
    expect(byForwarded(line)).toBe(peerText);
  });

  it('joins several lines in order', () => {
    expect(byForwarded('for=198.51.100.1', 'for=192.0.2.1')).toBe('192.0.2.1');
    expect(byForwarded('for=192.0.2.1;proto=http', 'for=10.1.1.1')).toBe('192.0.2.1');
  });

  it('reads no quoted text across lines', () => {
    expect(byForwarded('for="8.8.8.8', 'for=192.0.2.1;x="y"')).toBe('192.0.2.1');
    expect(byForwarded('for=192.0.2.1', 'for=10.1.1.1;x="', '"')).toBe(peerText);
  });
});

describe('what a client makes up', () => {
  it.each([
    'for=6.6.6.6',
    'for="',
    'for=6.6.6.6;x="',
    'for=6.6.6.6, for="6.6.6.6;x=\\',
    'for="\\"',
    '"',
    '\\"',
    '""',
    '"\\',
    ',",',
    '",",",',
    '6.6.6.6',
    '6.6.6.6, "',
    '[',
    '[6.6.6.6',
    ';',
  ])('does not swallow what a proxy appends to %j', (made) => {
    for (const [honest, header] of [
      ['192.0.2.1', 'x-forwarded-for'],
      ['[2001:db8::1]:4711', 'x-forwarded-for'],
      ['for=192.0.2.1', 'forwarded'],
      ['for="[2001:db8::1]:4711";proto=https', 'forwarded'],
      ['by="_a,b";for="192.0.2.1";host="a\\"b, for=6.6.6.6"', 'forwarded'],
    ] as const) {
      const expected = honest.includes('2001') ? '2001:db8::1' : '192.0.2.1';
      expect(client(header, [`${made}, ${honest}`])).toBe(expected);
      expect(client(header, [`${made},${honest}`])).toBe(expected);
      expect(client(header, [made, honest])).toBe(expected);
    }
  });

  // Every character that may stand in a field value (RFC 9110 §5.5), those that mean something here more often.
  const character = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...'",;=\\[]:. \tfor123') },
    {
      weight: 1,
      arbitrary: fc.constantFrom('for=', 'for="', '6.6.6.6', '\\"', '", ', '10.0.0.1', 'by=', '";'),
    },
    {
      weight: 1,
      arbitrary: fc
        .integer({ min: 0x20, max: 0xff })
        .filter((code) => code !== 0x7f)
        .map((code) => String.fromCharCode(code)),
    },
  );
  const madeUp = fc.array(character, { maxLength: 60 }).map((parts) => parts.join(''));
  const honestAddress = fc
    .oneof(fc.ipV4(), fc.ipV6())
    .map((text) => parseIpAddress(text)!)
    .filter((address) => !trusted.some((network) => networkContains(network, address)));
  const port = fc.option(fc.integer({ min: 0, max: 65_535 }), { nil: undefined });
  const quoted = fc
    .array(character, { maxLength: 20 })
    .map((parts) => `"${parts.join('').replaceAll(/["\\]/g, '\\$&')}"`);
  /** How proxies lay out what they append: at the end of the line that came, or as a line of its own. */
  const layouts = [
    (made: string, honest: string) => [`${made}, ${honest}`],
    (made: string, honest: string) => [`${made},${honest}`],
    (made: string, honest: string) => [made, honest],
    (made: string, honest: string) => [made, made, honest],
  ];

  it('never changes the answer in X-Forwarded-For', () => {
    fc.assert(
      fc.property(madeUp, honestAddress, port, fc.boolean(), (made, { text, version }, number, hop) => {
        const ported = number === undefined ? '' : `:${number}`;
        const honest = version === 6 && number !== undefined ? `[${text}]${ported}` : `${text}${ported}`;
        for (const layout of layouts) {
          const lines = layout(made, hop ? `${honest}, 10.1.1.1` : honest);
          expect(client('x-forwarded-for', lines)).toBe(text);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('never changes the answer in Forwarded, nor does a host name of its choice that the proxy quotes', () => {
    fc.assert(
      fc.property(
        madeUp,
        honestAddress,
        port,
        fc.option(quoted, { nil: undefined }),
        fc.boolean(),
        (made, { text, version }, number, host, first) => {
          const ported = number === undefined ? '' : `:${number}`;
          const node =
            version === 6 ? `"[${text}]${ported}"` : number === undefined ? text : `"${text}${ported}"`;
          const pairs = [`for=${node}`, 'proto=https', ...(host === undefined ? [] : [`host=${host}`])];
          const honest = (first ? pairs : pairs.toReversed()).join(';');
          for (const layout of layouts) expect(client('forwarded', layout(made, honest))).toBe(text);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('never throws, and gives the peer or an address that stands in the header', () => {
    fc.assert(
      fc.property(
        fc.array(madeUp, { maxLength: 4 }),
        fc.constantFrom('x-forwarded-for' as const, 'forwarded' as const),
        (lines, header) => {
          const { text } = clientAddressRule(header, trusted)(parseIpAddress(peerText)!, lines);
          expect(parseIpAddress(text)?.text).toBe(text);
        },
      ),
      { numRuns: 3000 },
    );
  });
});
