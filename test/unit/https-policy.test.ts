import { describe, expect, it } from 'vitest';
import { headerBlock } from '../../src/http/answer.ts';
import { createHttpsPolicy, type HttpsRules } from '../../src/http/https-policy.ts';
import type { Request } from '../../src/http/request.ts';

const hourMs = 3_600_000;
const page = { status: 200, head: headerBlock('text/html'), body: 'page', page: true } as const;

function rules(more: Partial<HttpsRules> = {}): HttpsRules {
  return {
    redirectNames: ['a.example', '*.b.example', '192.0.2.1', '2001:db8::1'],
    laterNames: [],
    hstsNames: ['a.example', '*.b.example'],
    hsts: 'auto',
    since: Date.now() - hourMs,
    ...more,
  };
}

function policy(more: Partial<HttpsRules> = {}, port = 443, trusted = false) {
  const made = createHttpsPolicy(() => trusted);
  made.use(rules(more), port);
  return made;
}

function request(host: string, query = '', headers: Record<string, string> = {}): Request {
  const all: Record<string, string> = { host, ...headers };
  return { path: '/', query: () => query, header: (name: string) => all[name] ?? '' } as unknown as Request;
}

const text = (block: Uint8Array) => Buffer.from(block).toString('latin1');
const location = (answer: { readonly head: Uint8Array }) =>
  /Location: (.*)/.exec(text(answer.head))?.[1]?.trim();

describe('a page asked for over plain HTTP', () => {
  it.each([
    ['a.example', 'https://a.example/'],
    ['A.Example.:80', 'https://a.example/'],
    ['x.b.example', 'https://x.b.example/'],
    ['192.0.2.1', 'https://192.0.2.1/'],
    ['[2001:DB8::1]:80', 'https://[2001:db8::1]/'],
  ])('under %s is at %s', (host, expected) => {
    const answer = policy().redirect(request(host), page);
    expect(answer.status).toBe(307);
    expect(location(answer)).toBe(expected);
    expect(text(answer.head)).toContain('Cache-Control: no-store');
  });

  it('under a name of ours without a certificate goes to the first that has one, never to a wildcard', () => {
    expect(location(policy().redirect(request('c.example'), page))).toBe('https://a.example/');
    const wild = policy({ redirectNames: ['*.b.example'] });
    expect(wild.redirect(request('c.example'), page)).toBe(page);
  });

  it('under a name of ours that its certificate does not hold yet stays where it is', () => {
    const waiting = policy({ laterNames: ['c.example', 'x.b.example'] });
    for (const host of ['c.example', 'x.b.example']) expect(waiting.redirect(request(host), page)).toBe(page);
    expect(location(waiting.redirect(request('y.b.example'), page))).toBe('https://y.b.example/');
  });

  it('keeps its query, and names the port where it is not 443', () => {
    const answer = policy({}, 8443).redirect(request('a.example:8080', 'ip=192.0.2.7'), page);
    expect(location(answer)).toBe('https://a.example:8443/?ip=192.0.2.7');
  });

  it('is moved for good once a day has gone well', () => {
    expect(policy({ since: Date.now() - 25 * hourMs }).redirect(request('a.example'), page).status).toBe(308);
  });

  it('stays where it is while no certificate of the configured authority serves', () => {
    expect(policy({ redirectNames: [] }).redirect(request('a.example'), page)).toBe(page);
  });

  it('stays where a trusted proxy says that its client came over HTTPS, and for nobody else', () => {
    const behind = request('a.example', '', { 'x-forwarded-proto': 'https' });
    expect(policy({}, 443, true).redirect(behind, page)).toBe(page);
    expect(policy({}, 443, false).redirect(behind, page).status).toBe(307);
  });

  it('cannot be made to break out of the header', () => {
    const answer = policy().redirect(request('a.example', 'x=\r\nSet-Cookie: a=b'), page);
    expect(answer).toBe(page);
  });
});

describe('HSTS', () => {
  const head = headerBlock('text/plain', { 'X-Other': '1' });
  const sent = (more: Partial<HttpsRules>) => text(policy(more).withHsts(head));

  it('goes out for DNS names under a certificate, in any letters and with any port, and for no other host', () => {
    const made = policy();
    for (const host of ['a.example', 'A.EXAMPLE:8443', 'x.b.example'])
      expect(made.sendsHsts(host)).toBe(true);
    for (const host of ['192.0.2.1', '[2001:db8::1]', 'c.example', 'x.y.b.example', ''])
      expect(made.sendsHsts(host)).toBe(false);
  });

  it('lasts a day on the first day and a year from then on, or as long as was said', () => {
    expect(sent({})).toContain('\r\nStrict-Transport-Security: max-age=86400');
    expect(sent({ since: Date.now() - 25 * hourMs })).toContain('max-age=31536000');
    expect(sent({ hsts: 300 })).toContain('max-age=300');
    expect(sent({ hsts: 0 })).toContain('max-age=0');
  });

  it('leaves the other lines of the head as they are', () => {
    expect(sent({})).toMatch(/^text\/plain\r\nX-Other: 1\r\nStrict/);
    expect(text(head)).not.toContain('Strict');
  });

  it('goes out for nobody when there is no name for it', () => {
    expect(policy({ hstsNames: [] }).sendsHsts('a.example')).toBe(false);
  });
});
