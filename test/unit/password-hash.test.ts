import { scryptSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createPasswordHashing, recommendedCost } from '../../src/core/password-hash.ts';

const quick = { ln: 4, r: 8, p: 1 };
const hashing = createPasswordHashing({ cost: quick });

describe('a hash of a password', () => {
  it('is in the PHC format, with a salt of its own, and says nothing of the password', async () => {
    const [one, two] = await Promise.all([hashing.hash('secret words'), hashing.hash('secret words')]);
    expect(one).toMatch(/^\$scrypt\$ln=4,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(one).not.toBe(two);
    expect(await hashing.verify('secret words', one)).toBe(true);
    for (const other of ['', 'Secret words', 'secret words ', 'secret word']) {
      expect(await hashing.verify(other, one)).toBe(false);
    }
  });

  it('is what other programs make of it', async () => {
    const salt = Buffer.from('a salt of a size');
    const key = scryptSync('pässword', salt, 32, { N: 16, r: 8, p: 1 });
    const text = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');
    expect(await hashing.verify('pässword', `$scrypt$ln=4,r=8,p=1$${text(salt)}$${text(key)}`)).toBe(true);
  });

  it('costs by default what OWASP asks for, and an older one is outdated', async () => {
    const real = createPasswordHashing();
    const hash = await real.hash('secret words');
    expect(hash).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$/);
    expect([real.isOutdated(hash), hashing.isOutdated(hash)]).toEqual([false, true]);
    expect(recommendedCost).toEqual({ ln: 15, r: 8, p: 3 });
    expect(await hashing.verify('secret words', hash)).toBe(true);
  });

  it('fits the password however its letters are composed', async () => {
    const hash = await hashing.hash('Zoe\u0301 ﬁnds Ａ');
    expect(await hashing.verify('Zoé finds A', hash)).toBe(true);
  });

  it('of nobody takes as long and fits nothing', async () => {
    const real = createPasswordHashing({ cost: { ln: 13, r: 8, p: 1 } });
    const hash = await real.hash('secret words');
    const time = async (of: string | undefined) => {
      const since = performance.now();
      expect(await real.verify('wrong words', of)).toBe(false);
      return performance.now() - since;
    };
    const known: number[] = [];
    const unknown: number[] = [];
    for (let turn = 0; turn < 4; turn++) {
      known.push(await time(hash));
      unknown.push(await time(undefined));
    }
    // what skips the hash takes a hundredth; the machine may have other work to do meanwhile
    expect(Math.min(...unknown)).toBeGreaterThan(0.3 * Math.min(...known));
  });

  it.each([
    '',
    'x',
    '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$c29tZXNhbHRzb21lc2FsdHNvbWVzYWx0',
    '$scrypt$ln=4,r=8,p=1$$',
    `$scrypt$ln=31,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`,
    `$scrypt$ln=15,r=99,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`,
    `$scrypt$ln=15,r=8,p=99$${'A'.repeat(22)}$${'A'.repeat(43)}`,
    `$scrypt$ln=0,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`,
    `$scrypt$ln=4,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}\n`,
  ])('that is none of ours, or would take the whole machine, is refused: %j', async (hash) => {
    await expect(hashing.verify('secret words', hash)).rejects.toMatchObject({ code: 'password-hash' });
  });

  it('is one of two that are made at once, in little memory, and whoever waits too long is told', async () => {
    const patient = createPasswordHashing({ cost: { ln: 12, r: 8, p: 1 } });
    const before = process.memoryUsage().rss;
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss - before)), 2);
    await Promise.all(Array.from({ length: 60 }, () => patient.hash('secret words')));
    clearInterval(watch);
    // 4 MiB each
    expect(most).toBeLessThan(60e6);

    const hasty = createPasswordHashing({ cost: { ln: 15, r: 8, p: 1 }, waitMs: 1 });
    const done = await Promise.allSettled(Array.from({ length: 6 }, () => hasty.hash('secret words')));
    const reasons = done.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
    // two need not wait; where time stood still for a while, others had their turn at once after it
    expect(reasons.length).toBeGreaterThan(0);
    expect(reasons.length).toBeLessThanOrEqual(4);
    for (const reason of reasons) expect(reason).toMatchObject({ code: 'password-busy', retryable: true });
  });
});
