import { describe, expect, it } from 'vitest';

import { editDistance, nearest } from '../../src/core/nearest.ts';

describe('editDistance', () => {
  it.each([
    ['', '', 0],
    ['', 'abc', 3],
    ['port', 'port', 0],
    ['port', 'prot', 1],
    ['port', 'ports', 1],
    ['port', 'pot', 1],
    ['port', 'pork', 1],
    ['kitten', 'sitting', 3],
  ])('from %j to %j is %i', (a, b, expected) => {
    expect(editDistance(a, b)).toBe(expected);
    expect(editDistance(b, a)).toBe(expected);
  });
});

describe('nearest', () => {
  it('finds the word that was meant, letter case aside', () => {
    expect(nearest('app_http_prot', ['APP_HTTPS_PORT', 'APP_HTTP_PORT'])).toBe('APP_HTTP_PORT');
  });
  it('says nothing where no candidate is close', () => {
    expect(nearest('zebra', ['serve', 'version'])).toBeUndefined();
    expect(nearest('prot', ['port'], 0)).toBeUndefined();
  });
});
