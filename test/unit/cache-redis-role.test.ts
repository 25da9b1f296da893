import { describe, expect, it } from 'vitest';
import { lostItsRole } from '../../src/adapters/cache-redis-connection.ts';

describe('a Redis that is a primary no more', () => {
  it.each([
    ['7', "READONLY You can't write against a read only replica. script: 3ac1, on @user_script:8."],
    [
      '6.2',
      "ERR Error running script (call to f_3ac1): @user_script:8: @user_script: 8: -READONLY You can't write against a read only replica.",
    ],
  ])('is left for the new one, in the words of release %s, but not with every write', (_, message) => {
    const isLost = lostItsRole();
    expect(isLost(new Error('ERR Error running script: something else'))).toBe(false);
    expect(isLost(new Error(message))).toBe(true);
    expect(isLost(new Error(message))).toBe(false);
  });
});
