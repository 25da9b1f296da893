import { expect } from 'vitest';

/**
 * In what is expected a pattern stands for every text that it matches. By itself `toMatchObject` takes one for an object without
 * keys, and everything is like that.
 */
expect.addEqualityTesters([
  (actual, expected) => {
    if (!(expected instanceof RegExp)) return undefined;
    return typeof actual === 'string' ? expected.test(actual) : actual instanceof RegExp ? undefined : false;
  },
]);
