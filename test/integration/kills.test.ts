import { describe } from 'vitest';
import { expectNothingLost } from '../support/kills-expected.ts';

describe('a host on which something is killed twenty times', () => {
  expectNothingLost({ seed: 20, count: 20, limitMs: 30 * 60_000 }, () => {});
});
