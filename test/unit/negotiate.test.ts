import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCommandLineClient, negotiate } from '../../src/http/negotiate.ts';

const chrome =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36';
const firefox = 'Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0';
const safari =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15';
const curl = 'curl/8.14.1';

describe('negotiate', () => {
  it.each([
    [
      'Chrome',
      'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7',
      chrome,
      'html',
    ],
    ['Firefox', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', firefox, 'html'],
    [
      'Firefox before 132',
      'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/png,image/svg+xml,*/*;q=0.8',
      firefox,
      'html',
    ],
    ['Safari', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', safari, 'html'],
    ['fetch() in a browser', '*/*', chrome, 'html'],
    ['fetch() in a browser that asks for JSON', 'application/json', firefox, 'json'],
    ['jQuery getJSON', 'application/json, text/javascript, */*; q=0.01', chrome, 'json'],
    ['axios in a browser', 'application/json, text/plain, */*', chrome, 'json'],
    ['axios in Node', 'application/json, text/plain, */*', 'axios/1.13.2', 'json'],
    ['curl', '*/*', curl, 'text'],
    ['curl --json', 'application/json', curl, 'json'],
    ['curl piped into jq by habit', 'application/json', 'curl/7.88.1', 'json'],
    ['curl that asks for the page', 'text/html', curl, 'html'],
    ['Wget', '*/*', 'Wget/1.25.0', 'text'],
    ['Wget 2', 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'Wget/2.2.0', 'html'],
    ['BusyBox wget', '', 'Wget', 'text'],
    ['HTTPie', '*/*', 'HTTPie/3.2.4', 'text'],
    ['HTTPie that sends JSON', 'application/json, */*;q=0.5', 'HTTPie/3.2.4', 'json'],
    ['xh', '*/*', 'xh/0.25.0', 'text'],
    ['fetch of FreeBSD', '*/*', 'fetch libfetch/2.0', 'text'],
    ['fetch() of Node', '*/*', 'node', 'text'],
    ['Go', '', 'Go-http-client/1.1', 'text'],
    ['Go over HTTP/2', '', 'Go-http-client/2.0', 'text'],
    ['ddclient', '', 'ddclient/3.11.2', 'text'],
    ['MikroTik', '', 'Mikrotik/7.x Fetch', 'text'],
    ['requests of Python', '*/*', 'python-requests/2.32.5', 'text'],
    ['urllib of Python', '', 'Python-urllib/3.13', 'text'],
    [
      'PowerShell',
      '',
      'Mozilla/5.0 (Windows NT 10.0; Microsoft Windows 10.0.26100; en-US) PowerShell/7.5.4',
      'text',
    ],
    [
      'Windows PowerShell',
      '',
      'Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.26100.7019',
      'text',
    ],
    ['a client without a name', '', '', 'html'],
    ['a client without a name that takes all', '*/*', '', 'html'],
  ])('gives %s what it wants', (_client, accept, userAgent, expected) => {
    expect(negotiate(accept, userAgent)).toBe(expected);
  });

  it.each([
    // The highest quality wins,
    ['text/html;q=0.1, application/json;q=0.2', 'json'],
    ['text/html;q=0.9, application/json', 'json'],
    ['application/json;q=0.999, text/plain;q=1.000', 'text'],
    ['application/json;q=0.001, text/html;q=0', 'json'],
    ['TEXT/HTML;Q=0.1, Application/JSON;Q=0.2', 'json'],
    ['text/html ; q=0.1 , application/json ; q=0.2', 'json'],
    ['text/html;level=1;q=0.1, application/json;charset=utf-8;q=0.2', 'json'],
    // then what was named, in the order of the header,
    ['application/json, text/html', 'json'],
    ['text/plain, application/json, text/html', 'text'],
    ['*/*, application/json', 'json'],
    // then what a range allows, by client.
    ['text/*', 'html'],
    ['application/*', 'json'],
    ['text/*, application/json', 'json'],
    ['image/png, */*;q=0.1', 'html'],
    // The more specific range says what a type is worth, wherever it stands.
    ['*/*, text/html;q=0', 'json'],
    ['text/html;q=0, */*', 'json'],
    ['text/*;q=0, */*', 'json'],
    ['text/*;q=0, text/plain;q=0.1', 'text'],
    ['text/html;q=0.2, text/*;q=0.9', 'text'],
    // Nothing that is here is accepted.
    ['image/png', undefined],
    ['text/csv, image/*', undefined],
    ['*/*;q=0', undefined],
    ['*/*;q=0.000', undefined],
    ['text/html;q=0', undefined],
    ['text/*;q=0, application/json;q=0', undefined],
    // A range that is none does not count; without any, the header does not.
    ['text/html;q=2, application/json', 'json'],
    ['text/html;q=1.001, application/json;q=0.1', 'json'],
    ['text/html;q=-1, application/json;q=0.1', 'json'],
    ['text/html;q=0.1234, application/json;q=0.1', 'json'],
    ['text/html;q=, application/json;q=0.1', 'json'],
    ['text/html;q=high, application/json;q=0.1', 'json'],
    ['text, html, application/json;q=0.1', 'json'],
    ['*/html, application/json;q=0.1', 'json'],
    ['text/html/x, application/json;q=0.1', 'json'],
    ['text/html;q=2', 'html'],
    ['html', 'html'],
    ['*', 'html'],
    [',', 'html'],
    [' ', 'html'],
    [';q=1', 'html'],
    ['\xff\xfe/\xff', 'html'],
    [',,application/json,,', 'json'],
  ])('reads %j', (accept, expected) => {
    expect(negotiate(accept, chrome)).toBe(expected);
  });

  it('prefers text for a command-line client where a range leaves the choice', () => {
    expect(negotiate('text/*', curl)).toBe('text');
    expect(negotiate('*/*;q=0.1', curl)).toBe('text');
    expect(negotiate('nonsense', curl)).toBe('text');
    expect(negotiate('*/*, text/plain;q=0', curl)).toBe('json');
  });

  it('never throws, and gives a type that the header accepts in some way', () => {
    const piece = fc.constantFrom(
      'text/html', 'text/plain', 'application/json', 'text/*', '*/*', 'image/png', ';q=0', ';q=0.5', ';q=1', ';q=x', ',', ';', ' ',
    ); // prettier-ignore
    const header = fc.oneof(
      fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
      fc.string(),
    );
    fc.assert(
      fc.property(header, fc.constantFrom(chrome, curl, ''), (accept, userAgent) => {
        expect([undefined, 'html', 'json', 'text']).toContain(negotiate(accept, userAgent));
      }),
      { numRuns: 5000 },
    );
  });

  it('reads a header of ten thousand ranges in no time', () => {
    const startedAt = performance.now();
    negotiate('a/b,'.repeat(10_000), chrome);
    negotiate(`text/html${';q=0.1'.repeat(10_000)}`, chrome);
    negotiate(`${'a'.repeat(10_000)}/${'b'.repeat(10_000)}`, 'c'.repeat(10_000));
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });
});

describe('isCommandLineClient', () => {
  it.each([
    'curl/8.5.0',
    'CURL/8',
    'curl',
    'Wget/1.21',
    'aria2/1.37.0',
    'HTTPie/3',
    'lwp-request/6.67 libwww-perl/6.67',
  ])('knows %s', (userAgent) => {
    expect(isCommandLineClient(userAgent)).toBe(true);
  });

  it.each([
    chrome,
    firefox,
    safari,
    '',
    'curlish/1',
    'Mozilla/5.0 curl/8.5.0',
    'nodebrowser',
    'goanna/1',
    'Googlebot/2.1',
  ])('does not take %j for one', (userAgent) => {
    expect(isCommandLineClient(userAgent)).toBe(false);
  });
});
