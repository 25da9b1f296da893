import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { freshState, parseRenewalState, type RenewalState } from '../../src/certificates/renewal-state.ts';
import { epoch } from '../support/certificate-world.ts';

const full: RenewalState = {
  fingerprint: 'AB:CD',
  gotAt: epoch,
  hasty: 1,
  announced: 'AB:CD',
  servesSince: epoch,
  ari: {
    certId: 'id',
    askedAt: epoch,
    askAgainAt: epoch + 1,
    failures: 0,
    window: { start: epoch, end: epoch + 2, moment: epoch + 1, explanationUrl: 'https://why.test/' },
  },
  asked: 'a.test b.test',
  failures: 2,
  failingSince: epoch,
  nextAttemptAt: epoch,
  leaveAloneUntil: epoch,
  lastError: { at: epoch, message: 'no', remedy: 'mend it', code: 'acme-dns' },
  stagingPassed: true,
  stagingLeaveAloneUntil: epoch,
  told: { failing: true, expiring: 'AB:CD', expired: 'AB:CD' },
};
const throughJson = (state: unknown): unknown => JSON.parse(JSON.stringify(state));

describe('what is noted about a renewal', () => {
  it.each([
    ['all of it', full],
    ['nothing yet', freshState],
  ])('comes back from JSON as it was: %s', (_, state) => {
    expect(parseRenewalState(throughJson(state))).toEqual(state);
  });

  it('is damaged where any of its fields is', () => {
    for (const name of Object.keys(full)) {
      for (const wrong of [null, [], {}, 'many', -1, 1e300]) {
        if (typeof wrong === typeof full[name as keyof RenewalState] && typeof wrong === 'string') continue;
        expect(
          parseRenewalState({ ...full, [name]: wrong }),
          `${name}: ${JSON.stringify(wrong)}`,
        ).toBeUndefined();
      }
    }
    const { ari } = full;
    expect(parseRenewalState({ ...full, ari: { ...ari, window: { start: 1 } } })).toBeUndefined();
  });

  it('never throws, whatever it is', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => parseRenewalState(value) === undefined));
    for (const value of [undefined, null, 1, 'text', [], new Map()]) {
      expect(parseRenewalState(value)).toBeUndefined();
    }
  });
});
