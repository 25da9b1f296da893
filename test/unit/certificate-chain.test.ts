import { describe, expect, test } from 'vitest';
import { certificatesOf, chainOf } from '../../src/core/certificate-chain.ts';
import { madeCertificate } from '../support/made-certificate.ts';

const serials = (chain: string) => certificatesOf(chain).map(({ serialNumber }) => serialNumber);

describe('a chain', () => {
  test('is the leaf and who signed it, in turn and once each', async () => {
    const [{ leaf, authority, chain }, other] = await Promise.all([
      madeCertificate(['a.test']),
      madeCertificate(['other.test']),
    ]);
    for (const given of [chain, leaf + other.leaf + authority + leaf + authority]) {
      expect(serials(chainOf(given))).toEqual(serials(chain));
    }
  });

  test('that cannot be read stays as it is', () => {
    expect(chainOf('no chain')).toBe('no chain');
  });
});
