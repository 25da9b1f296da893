import { X509Certificate } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { certificateFacts } from '../../src/core/certificate-facts.ts';
import { checkPair } from '../../src/core/certificate-pair.ts';
import { readDer } from '../../src/core/der.ts';
import { madeCertificate } from '../support/made-certificate.ts';
import { randomNumbers } from '../support/random-numbers.ts';

/** RFC 9773, appendix A. */
const example = `-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----`;

const factsOf = (pem: string) => certificateFacts(new X509Certificate(pem));

describe('what a certificate says of itself', () => {
  it('is named for its renewal as the RFC names its example', () => {
    expect(factsOf(example).ariId).toBe('aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE');
    expect(factsOf(example).serial).toBe('87654321');
  });

  it('has its names in lower case and its addresses in their one form, in order', async () => {
    const names = ['*.B.Example', 'a.example', '192.0.2.1', '2001:DB8:0:0:0:0:0:1', 'xn--bcher-kva.example'];
    const { leaf } = await madeCertificate(names);
    expect(factsOf(leaf).names).toEqual([
      '*.b.example',
      'a.example',
      '192.0.2.1',
      '2001:db8::1',
      'xn--bcher-kva.example',
    ]);
  });

  it('has times to the second, in milliseconds, also beyond 2050', async () => {
    const [notBefore, notAfter] = [Date.UTC(2026, 10, 22, 1, 2, 3), Date.UTC(2051, 0, 1)];
    const { leaf } = await madeCertificate(['a.example'], { notBefore, notAfter });
    expect(factsOf(leaf)).toMatchObject({ notBefore, notAfter, issuer: 'CN=made authority' });
  });

  it('names no renewal where the authority named no key', async () => {
    const { authority } = await madeCertificate(['a.example']);
    expect(factsOf(authority)).toMatchObject({ ariId: undefined, names: [] });
  });

  it('is read or refused, never misread in silence, whatever byte is broken', async () => {
    const { leaf, key } = await madeCertificate(['a.example', '192.0.2.1']);
    const bytes = Buffer.from(leaf.replaceAll(/-----.*-----|\s/g, ''), 'base64');
    const next = randomNumbers(7);
    for (let round = 0; round < 500; round++) {
      const broken = Buffer.from(bytes);
      broken[Math.floor(next() * broken.length)]! ^= 1 << Math.floor(next() * 8);
      const pem = `-----BEGIN CERTIFICATE-----\n${broken.toString('base64')}\n-----END CERTIFICATE-----\n`;
      try {
        checkPair(pem, key);
      } catch (error) {
        expect(error).toMatchObject({
          code: expect.stringMatching(/^certificate-(unreadable|mismatch)$/) as string,
        });
      }
    }
  });
});

describe('DER', () => {
  it.each([
    [[0x30]],
    [[0x30, 0x02, 0x00]],
    [[0x30, 0x80]],
    [[0x30, 0x85, 0, 0, 0, 0, 0]],
    [[0x1f, 0x01, 0x00]],
  ])('that is cut off or has an odd form is refused: %j', (bytes) => {
    expect(() => readDer(Uint8Array.from(bytes))).toThrow(RangeError);
  });
});
