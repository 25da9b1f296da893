import { describe, expect, it } from 'vitest';

import { caaClimb, caaObstacle, type CaaQuestion } from '../../src/certificates/caa.ts';
import type { CaaProperty } from '../../src/ports/name-resolver.ts';

/** `issue "ca.example"`, `!tbs "x"` where `!` is critical. */
function records(...lines: readonly string[]): CaaProperty[] {
  return lines.map((line) => {
    const [, mark, tag = '', value = ''] = /^(!?)(\w+) "(.*)"$/.exec(line) ?? [];
    return { flags: mark === '!' ? 128 : 0, tag, value };
  });
}

const question: CaaQuestion = {
  wildcard: false,
  identities: ['ca.example'],
  method: 'http-01',
  accountUrl: 'https://ca.example/account/1',
};

describe('a CAA record set', () => {
  it.each<[string, readonly string[], Partial<CaaQuestion>?]>([
    ['that is empty', []],
    ['without an issue property', ['iodef "mailto:a@b.example"']],
    ['with the authority in it', ['issue "ca.example"']],
    ['whatever the case of letters', ['issue "CA.Example."']],
    ['with the authority among others', ['issue "other.example"', 'issue "ca.example"']],
    [
      'for other names of the authority',
      ['issue "second.example"'],
      { identities: ['ca.example', 'second.example'] },
    ],
    ['that speaks of wildcards alone, for a plain name', ['issuewild ";"']],
    [
      'that speaks of wildcards better, for a wildcard',
      ['issue ";"', 'issuewild "ca.example"'],
      { wildcard: true },
    ],
    ['without issuewild, for a wildcard', ['issue "ca.example"'], { wildcard: true }],
    ['with a critical property that is known', ['!issue "ca.example"']],
    ['with an unknown property that is not critical', ['tbs "unknown"', 'issue "ca.example"']],
    ['with a kind of proof that fits', ['issue "ca.example; validationmethods=dns-01,http-01"']],
    ['with the right account', ['issue "ca.example; accounturi=https://ca.example/account/1"']],
    ['with an account, before there is one', ['issue "ca.example;accounturi=x"'], { accountUrl: undefined }],
    ['with parameters of another kind', ['issue "ca.example; policy=ev; b = c"']],
    ['of others, where the authority does not tell its names', ['issue "other.example"'], { identities: [] }],
  ])('%s is not in the way: %j', (_, lines, asked) => {
    expect(caaObstacle(records(...lines), { ...question, ...asked })).toBeUndefined();
  });

  it.each<[string, readonly string[], Partial<CaaQuestion>, RegExp]>([
    [
      'others',
      ['issue "a.example"', 'issue "b.example"'],
      {},
      /^lets only a.example, b.example sign.*0 issue "ca.example"/,
    ],
    ['nobody', ['issue ";"'], {}, /^lets no authority sign/],
    ['nobody, in the short form', ['issue ""'], {}, /^lets no authority sign/],
    ['nobody, whoever asks', ['issue ";"'], { identities: [] }, /^lets no authority sign/],
    ['what cannot be read', ['issue "ca.example; %%%"'], {}, /^lets no authority sign/],
    ['no wildcards', ['issue "ca.example"', 'issuewild ";"'], { wildcard: true }, /^lets no authority sign/],
    ['wildcards of others', ['issuewild "a.example"'], { wildcard: true }, /0 issuewild "ca.example"/],
    ['wildcards of others, by issue', ['issue "a.example"'], { wildcard: true }, /0 issue "ca.example"/],
    ['what nobody understands', ['!tbs "x"', 'issue "ca.example"'], {}, /critical property "tbs"/],
    ['another kind of proof', ['issue "ca.example; validationmethods=dns-01"'], {}, /than http-01/],
    ['another account', ['issue "ca.example; accounturi=https://ca.example/account/2"'], {}, /accounturi/],
  ])('that asks for %s is in the way: %j', (_, lines, asked, reason) => {
    expect(caaObstacle(records(...lines), { ...question, ...asked })).toMatch(reason);
  });
});

it('CAA records are looked for from the name to its top level', () => {
  expect(caaClimb('www.a.example')).toEqual(['www.a.example', 'a.example', 'example']);
  expect(caaClimb('*.a.example')).toEqual(['a.example', 'example']);
});
