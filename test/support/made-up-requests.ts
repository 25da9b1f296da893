/** Requests that nobody meant, made from numbers between 0 and 1. */
export interface MadeUpRequests {
  /** One that the server must read and answer: GET or HEAD, nonsense only where a request may hold it. */
  readable(): string;
  /** One that may break any rule of HTTP. */
  wild(): string;
}

const paths = [
  '/', '/whoami', '/whoami/', '/json', '/ip', '/country', '/country-iso', '/city', '/region', '/asn', '/asn-org',
  '/coordinates', '/network', '/headers', '/port/80', '/port/99999999999', '/port/', '/openapi.json', '/robots.txt',
  '/health/live', '/health/ready', '/.well-known/acme-challenge/x', '/.well-known/acme-challenge/', '/admin/', '//',
  '/__proto__', '/constructor', '/..', '/../../etc/passwd', '/%', '/%00', '/%2e%2e/', '/whoami//', '/ip/', '/ip/x',
]; // prettier-ignore
const addresses = [
  '8.8.8.8', '127.0.0.1', '10.0.0.1', '0.0.0.0', '255.255.255.255', '::', '::1', '2606:4700:4700::1111', '::9.9.9.9',
  '::ffff:9.9.9.9', '::909:909', 'fe80::1%eth0', '[2001:db8::1]:80', '1.2.3.4:80', '2002:808:808::', '64:ff9b::808:808',
  'unknown', '_hidden', '1.2.3', '01.2.3.4', '1.2.3.256', ':', ':::', '1::2::3', '[', ']', '%', '%25', '', ' ', '-1',
]; // prettier-ignore
const accepts = [
  '*/*', 'text/html', 'application/json', 'text/plain', 'text/html;q=0', '*/*;q=0', 'application/json;q=0.1, text/*',
  'image/png', ';;;', ',,,', 'q=1', '*', 'text/html;q=9', 'a/b;c="d,e"', 'text/plain;q=0.0001',
]; // prettier-ignore
const agents = [
  'curl/8.5.0',
  'Mozilla/5.0',
  'Wget',
  '',
  ' ',
  '(',
  'node',
  'python-requests/2',
  '\xff\xfe',
  'curl/',
];
const queries = ['ip', 'ip', 'ip', 'ip', 'ip', 'IP', 'ip[]', 'IP[0]', 'x', '__proto__', '', '%69p'];
const names = [
  'X',
  'Cookie',
  'Authorization',
  'X-Real-IP',
  'Via',
  '__proto__',
  'Connection',
  'Range',
  'If-None-Match',
];
const methods = [
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'TRACE',
  'CONNECT',
  'OPTIONS',
  'get',
  'G',
  '',
  '\0',
  'GET GET',
  'BREW',
];
const versions = ['HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'http/1.1', 'HTTP/1.1 ', 'HTTP/', '', 'XTTP/1.1'];
const lineEnds = ['\r\n', '\n', '\r', '\r\n\r\n', '\0', ' \r\n'];
const framing = [
  'Content-Length: 5', 'Content-Length: -1', 'Content-Length: 99999999999999999999', 'Content-Length: x', 'Host: b',
  'Transfer-Encoding: chunked', 'Transfer-Encoding: gzip, chunked', 'Expect: 100-continue', 'Upgrade: websocket',
  'Connection: Upgrade', 'Sec-WebSocket-Key: x', ': x', 'x', ' folded', 'X :y', 'HTTP2-Settings: AAMAAABk',
]; // prettier-ignore

/** `random` gives numbers from 0 to below 1; the same numbers make the same requests. */
export function madeUpRequests(random: () => number): MadeUpRequests {
  const below = (limit: number): number => Math.floor(random() * limit);
  const one = <Item>(items: readonly Item[]): Item => items[below(items.length)]!;
  const chance = (share: number): boolean => random() < share;
  const some = (most: number, make: () => string): string[] => Array.from({ length: below(most + 1) }, make);

  const character = (from: number, to: number): string => {
    const code = from + below(to - from);
    return code === 0x7f ? '~' : String.fromCharCode(code);
  };
  /** Text that may stand in a field value. */
  const fieldText = (most: number): string =>
    some(most, () => (chance(0.3) ? one([...'",;=\\[]:%./ \t']) : character(0x20, 0x100))).join('');
  /** Text that may stand in a request target. */
  const targetText = (most: number): string => some(most, () => character(0x21, 0x100)).join('');
  const anyBytes = (most: number): string => some(most, () => String.fromCharCode(below(256))).join('');

  const randomAddress = (): string =>
    chance(0.5)
      ? Array.from({ length: 4 }, () => below(256)).join('.')
      : Array.from({ length: 8 }, () => below(0x1_0000).toString(16)).join(':');
  const address = (): string => {
    const text = chance(0.4) ? one(addresses) : randomAddress();
    if (chance(0.7)) return text;
    const at = below(text.length + 1);
    return text.slice(0, at) + fieldText(3) + text.slice(at + below(3));
  };

  const forwardedFor = (): string =>
    some(6, () => (chance(0.8) ? address() : fieldText(20))).join(one([', ', ',', ' ,\t']));
  const forwarded = (): string => {
    const pair = (): string => {
      const name = one(['for', 'For', 'by', 'host', 'proto', 'x', '']);
      const value = chance(0.5)
        ? address()
        : one(['"', '"\\"', 'https', '_x', '"[', ']"']) + address() + one(['', '"']);
      return `${name}${one(['=', '=', '=', ' = ', ''])}${value}`;
    };
    return some(5, () => some(4, pair).join(one([';', '; ', ';;']))).join(one([', ', ',']));
  };

  const query = (): string => {
    const value = (): string => {
      const text = address();
      return chance(0.5) ? encodeURIComponent(text) : [...text].filter((each) => each > ' ').join('');
    };
    return some(
      3,
      () => `${one(queries)}${one(['=', '=', '==', ''])}${chance(0.9) ? value() : targetText(30)}`,
    ).join('&');
  };
  const target = (): string => {
    const path = chance(0.9) ? one(paths) : `/${targetText(40)}`;
    return chance(0.5) ? path : `${path}?${query()}`;
  };

  const headerLines = (): string[] => {
    const lines = ['Host: a.example'];
    if (chance(0.6)) lines.push(`Accept: ${chance(0.8) ? one(accepts) : fieldText(40)}`);
    if (chance(0.6)) lines.push(`User-Agent: ${chance(0.8) ? one(agents) : fieldText(40)}`);
    lines.push(...some(2, () => `${one(['X-Forwarded-For', 'x-forwarded-for'])}: ${forwardedFor()}`));
    lines.push(...some(2, () => `${one(['Forwarded', 'FORWARDED'])}: ${forwarded()}`));
    lines.push(...some(2, () => `${one(names)}: ${fieldText(40)}`));
    return lines;
  };

  return {
    readable: () =>
      `${[`${one(['GET', 'GET', 'HEAD'])} ${target()} HTTP/1.1`, ...headerLines()].join('\r\n')}\r\n\r\n`,
    wild() {
      if (chance(0.05)) return anyBytes(300);
      const method = chance(0.5) ? 'GET' : one(methods);
      const path = chance(0.8) ? target() : one([anyBytes(30), '', '*', 'http://a/', 'a', '?ip=1.1.1.1']);
      const version = chance(0.9) ? 'HTTP/1.1' : one(versions);
      const lines = chance(0.9) ? headerLines() : [];
      if (chance(0.3)) lines.push(...some(2, () => one(framing)));
      if (chance(0.2)) lines.push(`${chance(0.5) ? anyBytes(10) : one(names)}: ${anyBytes(40)}`);
      if (chance(0.02)) lines.push(`X: ${'a'.repeat(below(10_000))}`);
      const lineEnd = chance(0.9) ? '\r\n' : one(lineEnds);
      const whole =
        [`${method} ${path} ${version}`, ...lines, '', ''].join(lineEnd) + (chance(0.1) ? anyBytes(20) : '');
      return chance(0.1) ? whole.slice(0, below(whole.length)) : whole;
    },
  };
}
