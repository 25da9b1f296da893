import { createHash } from 'node:crypto';
import { networkText, type IpAddress } from '../core/ip-address.ts';
import { bitsPicture } from './bits.ts';
import { bogonWords } from './bogon-words.ts';
import { commandsFor } from './commands.ts';
import { asciiHtml, escapeHtml } from './html.ts';
import { iconAddress, mark } from './icon.ts';
import { script } from './script.ts';
import { style } from './style.ts';

/** What the page shows of one address; what is not known is left out. */
export interface PageFacts {
  readonly address: IpAddress;
  /** Why the address is not on the public Internet. */
  readonly bogon?: string | undefined;
  /** How many of its bits name the network. */
  readonly prefixLength?: number | undefined;
  readonly continent?: string | undefined;
  readonly country?: string | undefined;
  /** ISO 3166-1 alpha-2. */
  readonly countryIso?: string | undefined;
  readonly countryEu?: boolean | undefined;
  readonly regionName?: string | undefined;
  readonly city?: string | undefined;
  readonly postalCode?: string | undefined;
  readonly latitude?: number | undefined;
  readonly longitude?: number | undefined;
  readonly timeZone?: string | undefined;
  readonly asn?: number | undefined;
  readonly asnOrg?: string | undefined;
  readonly databases: readonly { readonly type: string; readonly builtAt: Date }[];
  /** Whether the address was asked about (`?ip=`) and is not simply the caller's. */
  readonly asked: boolean;
  /** The request's own `Host`; may hold anything. */
  readonly host: string;
}

/** Whose data it is: the words and the link that its licence asks for. */
interface Attribution {
  readonly text: string;
  readonly url: string;
}

export interface Page {
  /** The Content-Security-Policy that allows just what is on the page. */
  readonly contentSecurityPolicy: string;
  /** The whole document. Every value in it is escaped, whatever it holds. */
  render(facts: PageFacts): string;
}

const contentSecurityPolicy = [
  "default-src 'none'",
  `style-src '${sourceHash(style)}'`,
  `script-src '${sourceHash(script)}'`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** Public resolvers, for whoever tries the service on their own machine first. */
const samples = ['1.1.1.1', '8.8.8.8', '2620:fe::fe'];
const sampleLinks = samples
  .map((address) => `<a class="mono" href="?ip=${address}">${address}</a>`)
  .join(', ');

const askedHint = 'Nobody on the Internet can be found under it.';
const ownHint =
  'You reach this server without crossing the Internet, or through a proxy that it was not told to trust.';

/** Made once: what is the same on every page is joined here, so that a request costs a few texts put together. */
export function createPage(attribution: readonly Attribution[]): Page {
  const head =
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n' +
    '<meta name="viewport" content="width=device-width,initial-scale=1">\n' +
    '<meta name="description" content="The IP address you come from, who runs it and where it is.">\n' +
    `<link rel="icon" href="${iconAddress}">\n<style>${style}</style>\n<title>`;
  const credits = attribution
    // In single quotes, as the licence of DB-IP words its link.
    .map(({ text, url }) => asciiHtml(`<a href='${escapeHtml(url)}'>${escapeHtml(text)}</a>`))
    .join(' &middot; ');

  return {
    contentSecurityPolicy,
    render(facts) {
      const address = escapeHtml(facts.address.text);
      const query = facts.asked ? `?ip=${encodeURIComponent(facts.address.text)}` : '';
      return (
        `${head}${address} &middot; whoami</title>\n</head>\n<body>\n<header>\n` +
        `<a class="name" href="./">${mark}whoami</a>\n${search(facts.asked ? address : '')}</header>\n<main>\n` +
        `${hero(facts, address)}${details(facts)}${terminal(facts)}</main>\n<footer>\n` +
        `<nav aria-label="The same for programs"><a href="json${query}">JSON</a><a href="whoami${query}">Short JSON</a>` +
        `<a href="headers">Your request&rsquo;s headers</a><a href="openapi.json">OpenAPI</a></nav>\n` +
        `<p>${credits}</p>\n<p>${databases(facts)}</p>\n</footer>\n<script>${script}</script>\n</body>\n</html>\n`
      );
    },
  };
}

function search(value: string): string {
  return (
    '<form action="./" role="search"><input name="ip" type="text" aria-label="Another IP address" required ' +
    'autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="64" placeholder="Another address" ' +
    'pattern="\\s*\\[?[0-9A-Fa-f:.]{2,45}(%[\\w.~\\-]+)?\\]?\\s*" title="An IPv4 or IPv6 address, such as 9.9.9.9" ' +
    `value="${value}"><button>Look up</button></form>\n`
  );
}

function hero(facts: PageFacts, address: string): string {
  const { version, text } = facts.address;
  const size = text.length <= 11 ? 't' : text.length <= 15 ? 's' : text.length <= 24 ? 'm' : 'l';
  // A line may end after a separator only.
  const parted = address.replaceAll(/[.:]+/g, '<i>$&</i><wbr>');
  return (
    `<section class="hero">\n<p class="kind">${facts.asked ? '' : 'Your '}IPv${version} address` +
    `<button type="button" data-copy="${address}" aria-live="polite" hidden>Copy</button>${facts.asked ? '<a href="./">Show mine</a>' : ''}</p>\n` +
    `<h1 class="${size}">${parted}</h1>\n${lead(facts)}${bitsPicture(facts.address, facts.prefixLength)}\n</section>\n`
  );
}

function lead(facts: PageFacts): string {
  if (facts.bogon !== undefined) {
    const { name, meaning } = bogonWords(facts.bogon, facts.address.version);
    return (
      `<p class="lead"><b>${name}</b>: ${meaning}.</p>\n` +
      `<p class="hint">${facts.asked ? askedHint : ownHint} Try one that is public: ${sampleLinks}.</p>\n`
    );
  }
  const place = unique([facts.city, facts.regionName, facts.country]).map(escapeHtml).join(', ');
  const parts = [
    ...(place === '' ? [] : [`${flag(facts.countryIso)}${place}`]),
    ...(facts.asnOrg === undefined ? [] : [escapeHtml(facts.asnOrg)]),
  ];
  if (parts.length === 0)
    return '<p class="lead">A public address that the databases know nothing about.</p>\n';
  return `<p class="lead">${parts.join(' <span>&middot;</span> ')}</p>\n`;
}

/** Regional indicator symbols, which systems show as a flag or as the two letters. */
function flag(iso: string | undefined): string {
  if (iso === undefined || !/^[A-Z]{2}$/.test(iso)) return '';
  const letter = (index: number) => `&#${0x1f1e6 + iso.charCodeAt(index) - 65};`;
  return `<span aria-hidden="true">${letter(0)}${letter(1)}</span> `;
}

function details(facts: PageFacts): string {
  const { address, prefixLength, asn, asnOrg, country, countryIso, countryEu, latitude, longitude } = facts;
  const iso = countryIso === undefined ? '' : ` (${countryIso})`;
  const rows: readonly (readonly [term: string, value: string | undefined, mono?: boolean])[] = [
    ['Operator', asnOrg],
    ['Autonomous system', asn === undefined ? undefined : `AS${asn}`, true],
    ['Network', prefixLength === undefined ? undefined : networkText(address, prefixLength), true],
    ['City', facts.city],
    ['Region', facts.regionName],
    ['Postal code', facts.postalCode],
    ['Country', country === undefined ? countryIso : `${country}${iso}`],
    ['Continent', facts.continent],
    ['European Union', countryEu === undefined ? undefined : countryEu ? 'Member state' : 'Not a member'],
    [
      'Coordinates',
      latitude === undefined || longitude === undefined ? undefined : `${latitude}, ${longitude}`,
      true,
    ],
    ['Time zone', facts.timeZone],
  ];
  const known = rows
    .map(([term, value, mono]) =>
      value === undefined
        ? ''
        : `<div><dt>${term}</dt><dd${mono ? ' class="mono"' : ''}>${escapeHtml(value)}</dd></div>\n`,
    )
    .join('');
  return known === '' ? '' : `<section aria-label="What is known of it">\n<dl>\n${known}</dl>\n</section>\n`;
}

function terminal({ host, asked, address, bogon }: PageFacts): string {
  const lines = commandsFor(host, asked && bogon === undefined ? address.text : undefined).map(
    ({ command, answer }) => {
      const shown = escapeHtml(command);
      return (
        `<li><code>${shown}</code><span>${answer}</span>` +
        `<button type="button" data-copy="${shown}" aria-live="polite" hidden>Copy</button></li>\n`
      );
    },
  );
  return `<section>\n<h2>The same from a terminal</h2>\n<ol>\n${lines.join('')}</ol>\n</section>\n`;
}

function databases(facts: PageFacts): string {
  const dated = facts.databases.map(
    ({ type, builtAt }) => `${escapeHtml(type)} of <time>${builtAt.toISOString().slice(0, 10)}</time>`,
  );
  return `Databases: ${dated.join(', ')}. Answered from this server&rsquo;s memory; nobody else was asked.`;
}

/** Cities often bear their region's name, and some the country's. */
function unique(values: readonly (string | undefined)[]): string[] {
  return [...new Set(values.filter((value) => value !== undefined))];
}

/** Allows one inline block (CSP Level 3 §2.3.1). */
function sourceHash(block: string): string {
  return `sha256-${createHash('sha256').update(block).digest('base64')}`;
}
