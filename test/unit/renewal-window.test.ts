import { describe, expect, it } from 'vitest';
import { freshState, type AriState } from '../../src/certificates/renewal-state.ts';
import {
  ariAfterAnswer,
  ariAfterFailure,
  ariAskAt,
  due,
  emergencyAt,
  lifeOf,
  warnAt,
} from '../../src/certificates/renewal-window.ts';
import { day, epoch, factsOf, hour, made, minute, second, seeded } from '../support/certificate-world.ts';

const certificate = (lifeMs: number) =>
  factsOf(made({ names: ['a.test'], notBefore: epoch, notAfter: epoch + lifeMs }));

function heard(certId: string, start: number, end: number, moment: number): AriState {
  return {
    certId,
    askedAt: epoch,
    askAgainAt: epoch + hour,
    failures: 0,
    window: { start, end, moment, explanationUrl: undefined },
  };
}

describe('without a window a certificate', () => {
  it.each([
    ['90 days', 90 * day, 60 * day],
    ['45 days', 45 * day, 30 * day],
    ['ten days', 10 * day, (20 / 3) * day],
    ['160 hours', 160 * hour, 80 * hour],
    ['ten minutes', 10 * minute, 5 * minute],
    ['two minutes', 2 * minute, minute],
  ])('of %s is due after its share', (_, lifeMs, after) => {
    expect(due(certificate(lifeMs), freshState).at).toBeCloseTo(epoch + after);
  });

  it('has the life that its owner had, where it was made to begin earlier', () => {
    const facts = certificate(hour + 10 * minute);
    const gotAt = epoch + hour;
    expect(due(facts, { ...freshState, gotAt }).at).toBe(gotAt + 5 * minute);
    // one that was imported late in its life has its own
    const late = { ...freshState, gotAt: epoch + 80 * day };
    expect(due(certificate(90 * day), late).at).toBe(epoch + 60 * day);
  });
});

describe('with a window a certificate', () => {
  const facts = certificate(90 * day);

  it('is due at the moment that was drawn', () => {
    const ari = heard(facts.ariId!, epoch + 70 * day, epoch + 72 * day, epoch + 71 * day);
    expect(due(facts, { ...freshState, ari })).toEqual({
      at: epoch + 71 * day,
      reason: 'as the authority asks, between 2027-03-12 00:00:00 UTC and 2027-03-14 00:00:00 UTC',
    });
  });

  it('is due by its life where the window was another certificate’s', () => {
    const ari = heard('another', epoch, epoch + day, epoch);
    expect(due(facts, { ...freshState, ari }).at).toBe(epoch + 60 * day);
  });

  it('is due before the moment where little life is left then', () => {
    const ari = heard(facts.ariId!, epoch + 88 * day, epoch + 95 * day, epoch + 89 * day);
    expect(due(facts, { ...freshState, ari })).toEqual({
      at: epoch + 85.5 * day,
      reason: 'because little of its life is left',
    });
  });
});

it.each([
  ['90 days', 90 * day, 4.5 * day],
  ['10 minutes', 10 * minute, minute],
  ['2 minutes', 2 * minute, 30 * second],
])('little is left of %s', (_, lifeMs, left) => {
  expect(emergencyAt({ start: 0, end: lifeMs })).toBe(lifeMs - left);
});

it.each([
  ['half of the lead', epoch + 75 * day, undefined],
  ['half of a shorter lead that the authority gives', epoch + 86 * day, epoch + 82 * day],
  ['no earlier where the authority moved the window to the past', epoch + 75 * day, epoch + day],
])('a warning comes when %s has gone', (_, expected, moment) => {
  const facts = certificate(90 * day);
  const ari = moment === undefined ? undefined : heard(facts.ariId!, moment, moment + hour, moment);
  expect(warnAt(facts, { ...freshState, ari })).toBe(expected);
});

describe('the authority', () => {
  const life = lifeOf(certificate(90 * day), undefined);
  const short = lifeOf(certificate(2 * minute), undefined);
  const info = { start: epoch, end: epoch + day, explanationUrl: undefined };
  const answer = (retryAfterMs: number, of = life) =>
    ariAfterAnswer('id', undefined, { ...info, retryAfterMs }, of, epoch, seeded(1)).askAgainAt - epoch;

  it('is asked as often as it says, at least twice a day and each tenth of a life, at most each minute', () => {
    expect(answer(6 * hour)).toBe(6 * hour);
    expect(answer(100 * hour)).toBe(12 * hour);
    expect(answer(second)).toBe(minute);
    expect(answer(6 * hour, short)).toBe(12 * second);
  });

  it('is asked again soon where it did not answer, but not before its Retry-After', () => {
    const failed = (retryAfterMs?: number) =>
      ariAfterFailure('id', undefined, retryAfterMs, life, epoch, () => 0.5).askAgainAt - epoch;
    expect(failed()).toBe(minute);
    expect(failed(2 * hour)).toBe(2 * hour);
    expect(failed(100 * day)).toBe(day);
    let state = ariAfterFailure('id', undefined, undefined, life, epoch, () => 0.5);
    for (let times = 0; times < 50; times += 1) {
      state = ariAfterFailure('id', state, undefined, life, epoch, () => 0.5);
    }
    expect(state.askAgainAt - epoch).toBe(6 * hour);
  });

  it('is asked at once for a certificate that it was not asked for, and after a clock was wrong', () => {
    const facts = certificate(90 * day);
    const ari = heard(facts.ariId!, epoch, epoch + day, epoch);
    expect(ariAskAt(facts, { ...freshState, ari }, epoch)).toBe(epoch + hour);
    expect(ariAskAt(facts, freshState, epoch)).toBe(epoch);
    const ahead = { ...ari, askedAt: epoch + 3650 * day, askAgainAt: epoch + 3651 * day };
    expect(ariAskAt(facts, { ...freshState, ari: ahead }, epoch)).toBe(epoch);
    expect(ariAskAt({ ...facts, ariId: undefined }, freshState, epoch)).toBeUndefined();
  });

  it('has its moment drawn evenly over the whole window', () => {
    const random = seeded(3);
    const moments = Array.from(
      { length: 2000 },
      () =>
        ariAfterAnswer('id', undefined, { ...info, retryAfterMs: hour }, life, epoch, random).window!.moment,
    );
    const parts = [0, 1, 2, 3].map(
      (part) => moments.filter((at) => Math.floor((at - epoch) / (6 * hour)) === part).length,
    );
    for (const part of parts) expect(Math.abs(part - 500)).toBeLessThan(100);
  });
});
