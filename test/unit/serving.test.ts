import { describe, expect, it } from 'vitest';
import { chooseServed, kindOf, namesUncovered } from '../../src/certificates/serving.ts';
import type { StoredCertificate } from '../../src/ports/certificate-store.ts';
import { day, epoch, factsOf, made, wantedFor } from '../support/certificate-world.ts';

const authorities = { primary: 'first', fallback: 'second' };
const now = epoch + 50 * day;

function certificate(
  authority: string,
  names: readonly string[],
  fromDay: number,
  toDay: number,
): StoredCertificate {
  const facts = factsOf(made({ names, notBefore: epoch + fromDay * day, notAfter: epoch + toDay * day }));
  const name = names[0]!;
  return { id: { authority, name }, facts, chainFile: 'chain', keyFile: 'key', chain: '' };
}

const chosen = (names: readonly string[], ...certificates: StoredCertificate[]) =>
  chooseServed(wantedFor(...names), certificates, authorities, () => undefined, now);

describe('what serves', () => {
  const first = certificate('first', ['a.test'], 0, 90);
  const newer = certificate('second', ['a.test'], 10, 60);
  const brought = certificate('import', ['*.test', 'a.test'], 5, 95);
  const before = certificate('before', ['a.test'], 40, 130);
  const ended = certificate('first', ['a.test'], 0, 49);

  it('is the newest of the configured authorities and of those that were brought along', () => {
    expect(chosen(['a.test'], first, newer, brought)).toBe(newer);
    expect(chosen(['a.test'], brought, first)).toBe(brought);
  });

  it('is one of an authority that was configured before only where there is no other', () => {
    expect(chosen(['a.test'], before, first)).toBe(first);
    expect(chosen(['a.test'], before, ended)).toBe(before);
  });

  it('is what helps most of the names while one is missing', () => {
    const two = certificate('before', ['a.test', 'b.test'], 0, 60);
    expect(chosen(['a.test', 'b.test', 'c.test'], first, two)).toBe(two);
  });

  it('is rather one that has ended than the stand-in', () => {
    expect(chosen(['a.test'], ended)).toBe(ended);
    expect(chosen(['b.test'], first, ended)).toBeUndefined();
  });

  it('is one whose life is yet to begin where there is no other, since that may be our clock’s mistake', () => {
    const ahead = certificate('first', ['a.test'], 60, 150);
    expect(chosen(['a.test'], ahead)).toBe(ahead);
    expect(chosen(['a.test'], ahead, ended)).toBe(ahead);
    expect(chosen(['a.test'], ahead, before)).toBe(before);
    expect(kindOf(ahead, authorities, now)).toBe('not-yet-valid');
  });

  it('has a kind', () => {
    expect(kindOf(first, authorities, now)).toBe('valid');
    expect(kindOf(newer, authorities, now)).toBe('fallback');
    expect(kindOf(before, authorities, now)).toBe('fallback');
    expect(kindOf(ended, authorities, now)).toBe('expired');
    expect(kindOf(undefined, authorities, now)).toBe('stand-in');
  });
});

it.each([
  [['a.test'], ['*.test'], []],
  [['x.a.test'], ['*.test'], ['x.a.test']],
  [['*.test'], ['a.test'], ['*.test']],
  [['*.a.test'], ['*.test'], ['*.a.test']],
  [['192.0.2.1'], ['*.0.2.1'], ['192.0.2.1']],
  [['2001:db8::1'], ['2001:db8::1'], []],
])('of %j a certificate for %j lacks %j', (names, held, lacking) => {
  expect(namesUncovered(names, held)).toEqual(lacking);
});
