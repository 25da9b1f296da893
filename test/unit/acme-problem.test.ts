import { describe, expect, test } from 'vitest';
import { ExchangeError } from '../../src/adapters/acme-exchange.ts';
import { noAnswer, refusal, type ProblemContext } from '../../src/adapters/acme-problem.ts';
import { retryAfterMs } from '../../src/adapters/acme-resources.ts';

const context: ProblemContext = {
  authority: 'https://acme.example/dir',
  what: 'the order',
  status: 400,
  now: Date.parse('2026-11-22T10:00:00Z'),
  settings: {
    directoryUrl: 'CERT_DIRECTORY_URL',
    caFile: 'CERT_CA_FILE',
    eab: 'CERT_EAB_KID and CERT_EAB_HMAC',
  },
};
const urn = (type: string) => `urn:ietf:params:acme:error:${type}`;
const validation = (type: string): ProblemContext => ({
  ...context,
  what: 'the validation of a.example',
  status: undefined,
  challenge: { name: 'a.example', type },
});

// RFC 8555 §6.7, RFC 9773 §7.4, draft-ietf-acme-profiles §5
const types = `
  accountDoesNotExist alreadyRevoked badCSR badNonce badPublicKey badRevocationReason badSignatureAlgorithm caa
  compound connection dns externalAccountRequired incorrectResponse invalidContact malformed orderNotReady
  rateLimited rejectedIdentifier serverInternal tls unauthorized unsupportedContact unsupportedIdentifier
  userActionRequired alreadyReplaced invalidProfile`
  .trim()
  .split(/\s+/);

describe('a problem document', () => {
  test.each(types)('of the type %s is said in words, with what to do and what the authority said', (type) => {
    for (const where of [context, validation('http-01')]) {
      const failure = refusal({ type: urn(type), detail: 'Their own words' }, where);
      expect(failure).toMatchObject({ code: `acme-${type}`, exitCode: 4, problem: { type } });
      expect(failure.message).toMatch(/^acme\.example .+\(the .+\): Their own words$/);
      expect(failure.remedy!.length).toBeGreaterThan(15);
      const own = ['incorrectResponse', 'tls'].includes(type) && where === context;
      if (!own) expect(failure.message, 'no words for it').not.toContain('acme.example refused (');
    }
  });

  test.each([
    ['connection', 'http-01', 'could not connect to a.example on port 80', 'Open port 80'],
    ['dns', 'http-01', 'no usable DNS records for a.example', 'dig a.example'],
    ['unauthorized', 'http-01', "somebody else's answer for a.example", 'lead to this host'],
    ['unauthorized', 'dns-01', 'TXT records of _acme-challenge.a.example', 'CERT_DNS_HOOK'],
    ['caa', 'http-01', 'forbidden to issue by a CAA record', 'CAA records'],
  ])('of a validation: %s over %s', (type, challenge, words, remedy) => {
    const failure = refusal({ type: urn(type), detail: '' }, validation(challenge));
    expect(failure.message).toContain(words);
    expect(failure.remedy).toContain(remedy);
  });

  test('says whether it is about our account', () => {
    const document = { type: urn('unauthorized'), detail: '' };
    expect(refusal(document, { ...context, what: 'the account' }).ofAccount).toBe(true);
    expect(refusal(document, context).ofAccount).toBe(false);
  });

  test('that asks for a customer binding names the settings of this authority', () => {
    const settings = { ...context.settings, eab: 'CERT_FALLBACK_EAB_KID and CERT_FALLBACK_EAB_HMAC' };
    const failure = refusal({ type: urn('externalAccountRequired') }, { ...context, settings });
    expect(failure.remedy).toContain('CERT_FALLBACK_EAB_KID and CERT_FALLBACK_EAB_HMAC');
  });

  test('that asks for a person names the page to go to', () => {
    const failure = refusal(
      { type: urn('userActionRequired'), detail: 'New terms', instance: 'https://acme.example/terms' },
      context,
    );
    expect(failure.remedy).toContain('See https://acme.example/terms.');
    expect(failure.retryable).toBe(false);
  });

  test('lists its parts by identifier', () => {
    const failure = refusal(
      {
        type: urn('compound'),
        detail: 'Errors',
        subproblems: [
          { type: urn('caa'), detail: 'forbidden', identifier: { type: 'dns', value: 'a.example' } },
          { type: urn('dns'), detail: 'none' },
          'nonsense',
        ],
      },
      context,
    );
    expect(failure.problem.subproblems.slice(0, 2)).toEqual([
      { type: 'caa', detail: 'forbidden', identifier: 'a.example' },
      { type: 'dns', detail: 'none', identifier: undefined },
    ]);
    expect(failure.message).toContain('a.example (caa): forbidden');
  });

  test('shows until when a limit lasts', () => {
    const failure = refusal(
      { type: urn('rateLimited'), detail: 'Too many' },
      { ...context, status: 429, retryAfterMs: 90 * 60_000 },
    );
    expect(failure.message).toContain('limits how often it may be asked until 2026-11-22 11:30 UTC');
    expect(failure.retryAfterMs).toBe(90 * 60_000);
  });

  test('cannot write to the terminal, nor fill it', () => {
    const failure = refusal(
      { type: urn('caa'), detail: `\u001b[2J\u202eabc\n\n${'x'.repeat(10_000)}` },
      context,
    );
    expect(failure.message).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(failure.message.length).toBeLessThan(1000);
  });

  test.each([
    [429, 'rateLimited'],
    [500, 'serverInternal'],
    [503, 'serverInternal'],
    [404, 'not-acme'],
    [302, 'not-acme'],
  ])('that is none is judged by its status: %d is %s', (status, type) => {
    for (const document of [undefined, null, {}, [], 'text', { type: 7, detail: {} }]) {
      expect(refusal(document, { ...context, status }).problem).toMatchObject({ type, status });
    }
  });

  test('says that the clock is off where it is', () => {
    const clockRemedy = 'The clock is ten years off.';
    expect(refusal({ type: urn('caa') }, { ...context, clockRemedy }).remedy).toContain(clockRemedy);
    const error = new ExchangeError('timeout', 'Too late.');
    expect(noAnswer(error, { ...context, clockRemedy }).remedy).toContain(clockRemedy);
  });
});

test.each([
  ['unreachable', 'ENOTFOUND', 'Check CERT_DIRECTORY_URL'],
  ['unreachable', 'ECONNREFUSED', 'outgoing connections'],
  ['timeout', undefined, 'outgoing connections'],
  ['tls', 'SELF_SIGNED_CERT_IN_CHAIN', 'CERT_CA_FILE'],
  ['tls', 'CERT_HAS_EXPIRED', "This host's clock shows 2026-11-22 10:00 UTC"],
  ['tls', 'ERR_TLS_CERT_ALTNAME_INVALID', 'host name in CERT_DIRECTORY_URL'],
  ['not-acme', undefined, 'CERT_DIRECTORY_URL'],
] as const)('no answer (%s, %s) has a remedy', (kind, systemCode, remedy) => {
  const failure = noAnswer(new ExchangeError(kind, 'What happened.', { systemCode }), context);
  expect(failure).toMatchObject({ code: `acme-${kind}`, exitCode: 4, retryable: true });
  expect(failure.remedy).toContain(remedy);
});

test.each([
  [{ 'retry-after': '120' }, 120_000],
  [{ 'retry-after': ' 0 ' }, 0],
  [{ 'retry-after': 'Sun, 22 Nov 2026 10:01:00 GMT' }, 60_000],
  // by the server's clock, whatever ours is
  [{ 'retry-after': 'Sun, 22 Nov 2016 10:01:00 GMT', date: 'Sun, 22 Nov 2016 10:00:00 GMT' }, 60_000],
  [{ 'retry-after': 'Sun, 22 Nov 2026 09:00:00 GMT' }, 0],
  [{ 'retry-after': '-5' }, undefined],
  [{ 'retry-after': 'soon' }, undefined],
  [{ 'retry-after': '' }, undefined],
  [{}, undefined],
])('Retry-After %j is %s ms', (headers, ms) => {
  expect(retryAfterMs(headers, context.now)).toBe(ms);
});
