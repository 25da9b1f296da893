import { describe, expect, test } from 'vitest';
import { chooseProfile } from '../../src/certificates/profile.ts';

const authority = 'https://second.test/directory';

function chosen(profile: string | undefined, profiles: readonly string[] | undefined, name = 'a.test') {
  const request = { names: [name], keyType: 'ecdsa-p256', profile, replaces: undefined, keep: true } as const;
  const offer = {
    profiles,
    caaIdentities: [],
    account: 'https://second.test/account',
    clockSkewMs: undefined,
  };
  return (onlyAWish: boolean) => chooseProfile(request, offer, authority, onlyAWish);
}

describe('a profile that is wished for', () => {
  test('is taken where it is offered', () => {
    expect(chosen('tlsserver', ['classic', 'tlsserver'])(true)).toBe('tlsserver');
  });

  test.each([[['classic']], [undefined]])('is done without where %s is offered', (profiles) => {
    expect(chosen('tlsserver', profiles)(true)).toBeUndefined();
    expect(() => chosen('tlsserver', profiles)(false)).toThrow('does not offer the profile tlsserver');
  });

  test('gives way to the one that an address needs', () => {
    expect(chosen('tlsserver', ['classic', 'shortlived'], '192.0.2.1')(true)).toBe('shortlived');
  });
});
