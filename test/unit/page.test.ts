import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attribution, dbIpLink } from '../../src/whoami/attribution.ts';
import { escapeHtml } from '../../src/web/html.ts';
import { createPage, type PageFacts } from '../../src/web/page.ts';
import { cityFacts, factsOf, longFacts, loopbackFacts } from '../support/page-facts.ts';

const page = createPage(attribution);

/** What a browser would show of escaped text. */
const unescapeHtml = (text: string) =>
  text.replaceAll(
    /&(amp|lt|gt|quot|#39);/g,
    (_, name: string) => ({ amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" })[name]!,
  );

/** The tags of a document in order, with their attributes: what a value must not change. */
const skeleton = (html: string) =>
  (html.match(/<[^>]*>/g) ?? []).map((tag) => tag.replaceAll(/(?<=["'])[^"']*(?=["'])/g, ''));

const tricky = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: fc.constantFrom('<', '>', '"', "'", '&', '/', '=', ' ', 'a', '!', '-', '$', '`', ';') }),
  fc.constantFrom(
    '</title><script>',
    '"><img src=x onerror=alert(1)>',
    "' onclick='",
    '<!--',
    '$&',
    '&lt;',
    ']]>',
    '__proto__',
  ),
);

describe('the page', () => {
  it('changes no tag whatever the databases hold', () => {
    const facts = (value: string): PageFacts => ({
      ...factsOf('192.0.2.1'),
      continent: value,
      country: value,
      countryIso: `${value}?`,
      regionName: `${value} region`,
      city: `${value} city`,
      postalCode: value,
      timeZone: value,
      asnOrg: value,
      databases: [{ type: value, builtAt: new Date(0) }],
    });
    const plain = skeleton(page.render(facts('plain')));
    fc.assert(
      fc.property(tricky, (value) => {
        expect(skeleton(page.render(facts(value)))).toEqual(plain);
      }),
    );
  });

  it('changes no tag whatever Host the request named', () => {
    const plain = skeleton(page.render(factsOf('192.0.2.1', { host: 'plain' })));
    fc.assert(
      fc.property(tricky, (host) => {
        expect(skeleton(page.render(factsOf('192.0.2.1', { host })))).toEqual(plain);
      }),
    );
  });

  it('changes no tag whatever kind of address it is told', () => {
    const plain = skeleton(page.render(factsOf('192.0.2.1', { bogon: 'plain' })));
    fc.assert(
      fc.property(tricky, (bogon) => {
        expect(skeleton(page.render(factsOf('192.0.2.1', { bogon })))).toEqual(plain);
      }),
    );
  });

  it('escapes so that a browser shows what was meant', () => {
    fc.assert(
      fc.property(tricky, (value) => {
        const escaped = escapeHtml(value);
        expect(escaped).not.toMatch(/[<>"']/);
        expect(unescapeHtml(escaped)).toBe(value);
      }),
    );
  });

  it.each([
    'x;reboot',
    '$(reboot)',
    'a b',
    '`reboot`',
    "x'y",
    'x\nreboot',
    '-o/etc/passwd',
    '',
    'a'.repeat(300),
  ])('offers no command with a Host that a shell could misread: %j', (host) => {
    const html = page.render(factsOf('192.0.2.1', { host }));
    expect(html).toContain('<code>curl this-server.example</code>');
    if (host !== '') expect(html).not.toContain(`curl ${escapeHtml(host)}`);
  });

  it.each([
    ['my.host', 'curl my.host/json'],
    ['127.0.0.1:8080', 'curl 127.0.0.1:8080/json'],
    ['[::1]:8080', "curl '[::1]:8080/json'"],
  ])('shows commands for the server that was asked: %s', (host, command) => {
    expect(unescapeHtml(page.render(factsOf('192.0.2.1', { host })))).toContain(`<code>${command}</code>`);
  });

  it('gives every credit that is owed, in the words and with the link of its licence', () => {
    const html = page.render(cityFacts);
    expect(html).toContain(dbIpLink);
    for (const { text, url } of attribution) expect(html).toContain(`<a href='${url}'>${text}</a>`);
  });

  it('allows by its policy the style and the script that are on it and nothing else', () => {
    const html = page.render(cityFacts);
    for (const kind of ['style', 'script']) {
      const blocks = [...html.matchAll(new RegExp(`<${kind}>(.*?)</${kind}>`, 'gs'))].map(
        ([, block]) => block!,
      );
      expect(blocks).toHaveLength(1);
      const hash = createHash('sha256').update(blocks[0]!).digest('base64');
      expect(page.contentSecurityPolicy).toContain(`${kind}-src 'sha256-${hash}'`);
    }
    expect(page.contentSecurityPolicy).toMatch(/^default-src 'none';/);
    expect(page.contentSecurityPolicy).not.toContain('unsafe');
    expect(html).not.toMatch(/ (?:style|on\w+)=/);
  });

  it('shows what is known and leaves out what is not', () => {
    const whole = page.render(cityFacts);
    for (const value of [
      '8.8.8.8',
      'Google LLC',
      'AS15169',
      '8.8.8.0/24',
      'Mountain View',
      '37.422, -122.085',
      '&#127482;&#127480;',
    ]) {
      expect(whole).toContain(value);
    }
    const bare = page.render(factsOf('8.8.8.8'));
    expect(bare).not.toContain('<dt>');
    expect(bare).not.toMatch(/undefined|null|NaN/);
    expect(bare).toContain('databases know nothing about');
  });

  it('tells what kind of address it is that has no place', () => {
    expect(page.render(loopbackFacts)).toContain('<b>Loopback</b>');
    expect(page.render(factsOf('10.0.0.1', { bogon: 'private' }))).toContain('RFC 1918');
    expect(page.render(factsOf('fd00::1', { bogon: 'private' }))).toContain('RFC 4193');
  });

  it('draws every bit once, the network’s apart from the host’s', () => {
    const drawn = (facts: PageFacts) => {
      const html = page.render(facts);
      return [0, 1, 2, 3].map(
        (kind) => html.match(new RegExp(`class="b${kind}" d="([^"]*)"`))![1]!.split('z').length - 1,
      );
    };
    // 8.8.8.0/24: of the host's 8 bits one is set, of the network's 24 three are.
    expect(drawn(cityFacts)).toEqual([7, 1, 21, 3]);
    expect(drawn({ ...cityFacts, prefixLength: 7 })).toEqual([22, 3, 6, 1]);
    expect(drawn(loopbackFacts)).toEqual([24, 8, 0, 0]);
    const [hostClear = 0, hostSet = 0, networkClear = 0, networkSet = 0] = drawn(longFacts);
    expect([hostClear + hostSet, networkClear + networkSet]).toEqual([128 - 46, 46]);
  });

  it('says whether the address is the caller’s or was asked about, and then asks for it everywhere', () => {
    expect(page.render(cityFacts)).toContain('Your IPv4 address');
    const asked = page.render(longFacts);
    expect(asked).not.toContain('Your IPv6 address');
    expect(asked).toContain('href="json?ip=2001%3A67c%3A1220%3A809a%3Ab3f4%3A98ff%3Afe12%3A4567"');
    expect(asked).toContain(`value="${longFacts.address.text}"`);
  });

  it('is ASCII but for what the databases hold', () => {
    expect(page.render(cityFacts)).toMatch(/^[\0-\x7f]+$/);
    expect(page.render(factsOf('8.8.8.8', { city: 'São Paulo' }))).toContain('São Paulo');
  });

  it('stays small', () => {
    for (const facts of [cityFacts, longFacts, loopbackFacts]) {
      expect(Buffer.byteLength(page.render(facts))).toBeLessThan(12_000);
    }
  });
});
