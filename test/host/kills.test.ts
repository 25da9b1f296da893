import { describe } from 'vitest';
import { expectNothingLost } from '../support/kills-expected.ts';

describe('a host on which something is killed two hundred times', () => {
  expectNothingLost({ seed: 200, count: 200, limitMs: 90 * 60_000 }, (line) => console.log(`  │ ${line}`));
});
