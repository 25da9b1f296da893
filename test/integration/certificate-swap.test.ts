import { describe } from 'vitest';
import { expectRenewals } from '../support/renewals-expected.ts';

describe('a service under load, with certificates of two minutes', () => {
  // the authority asks for renewal at any moment of a life, and at the latest it comes with a quarter of it left
  expectRenewals({ lifeSeconds: 120, renewals: 3, connectionsPerSecond: 20, limitSeconds: 600 }, () => {});
});
