import { describe } from 'vitest';
import { expectRenewals } from '../support/renewals-expected.ts';

describe('a service under load, with certificates of ten minutes that the authority wants back sooner', () => {
  expectRenewals(
    {
      lifeSeconds: 600,
      renewals: 6,
      connectionsPerSecond: 20,
      // the service asks for the window each minute
      windowSeconds: [75, 90],
      limitSeconds: 20 * 60,
    },
    (line) => console.log(`  │ ${line}`),
  );
});
