import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/core/errors.ts';
import type { CertificateStore, PendingOrder } from '../../src/ports/certificate-store.ts';
import { type MadeCertificate, madeCertificate } from '../support/made-certificate.ts';

const authority = 'https://acme.example/directory';
const id = { authority, name: 'a.example' };
const other = { authority: 'https://127.0.0.1:14000/dir', name: 'a.example' };

/** What every `CertificateStore` has to do. `reopen` gives a store of another process over the same content. */
export function certificateStoreContract(
  name: string,
  open: () => Promise<{ store: CertificateStore; reopen: () => CertificateStore }>,
): void {
  describe(`${name} as a certificate store`, () => {
    let store: CertificateStore;
    let reopen: () => CertificateStore;
    let one: MadeCertificate;
    let two: MadeCertificate;
    beforeAll(async () => {
      one = await madeCertificate(['a.example', 'b.example'], { serial: '00AB01' });
      two = await madeCertificate(['a.example']);
    });
    beforeEach(async () => {
      ({ store, reopen } = await open());
    });

    it('has nothing at first', async () => {
      expect(await store.load(id)).toBeUndefined();
      expect(await store.list()).toEqual([]);
      expect(await store.account(authority)).toBeUndefined();
      expect(await store.order(id)).toBeUndefined();
      expect(await store.state(id)).toBeUndefined();
      await store.removeOrder(id);
    });

    it('gives back what was saved, to another process too', async () => {
      const saved = await store.save(id, one);
      expect(await store.load(id)).toEqual(saved);
      const loaded = await reopen().load(id);
      expect(loaded).toEqual(saved);
      expect(loaded).toMatchObject({ id, chain: one.chain, facts: { names: ['a.example', 'b.example'] } });
      expect(readFileSync(loaded!.chainFile, 'utf8')).toBe(one.chain);
      const leaf = new X509Certificate(readFileSync(loaded!.chainFile));
      expect(leaf.checkPrivateKey(createPrivateKey(readFileSync(loaded!.keyFile)))).toBe(true);
      expect(loaded!.facts.serial).toBe(leaf.serialNumber);
    });

    it('replaces a certificate by the next, and leaves those of other authorities alone', async () => {
      await store.save(id, one);
      await store.save(other, one);
      const saved = await store.save(id, two);
      expect(saved.chain).toBe(two.chain);
      expect((await reopen().load(id))?.chain).toBe(two.chain);
      expect((await reopen().load(other))?.chain).toBe(one.chain);
      const listed = await reopen().list();
      expect(listed.map((each) => each.id)).toEqual(expect.arrayContaining([id, other]));
      expect(listed).toHaveLength(2);
    });

    const refused: [what: string, pair: () => { chain: string; key: string }, code: string][] = [
      ['the key of another certificate', () => ({ chain: one.chain, key: two.key }), 'certificate-mismatch'],
      [
        'a chain in the wrong order',
        () => ({ chain: one.authority + one.leaf, key: one.key }),
        'certificate-mismatch',
      ],
      ['no certificate', () => ({ chain: 'junk', key: one.key }), 'certificate-unreadable'],
      ['no key', () => ({ chain: one.chain, key: 'junk' }), 'certificate-unreadable'],
      [
        'a chain that is cut off',
        () => ({ chain: one.chain.slice(0, -200), key: one.key }),
        'certificate-unreadable',
      ],
      [
        'a chain with a damaged second certificate',
        () => ({ chain: one.leaf + one.authority.replace(/\n[^-]{20}/, '\n'), key: one.key }),
        'certificate-unreadable',
      ],
    ];
    it.each(refused)('refuses %s and keeps what it had', async (_what, pair, code) => {
      await store.save(id, two);
      await expect(store.save(id, pair())).rejects.toMatchObject({ code });
      expect((await reopen().load(id))?.chain).toBe(two.chain);
    });

    it('keeps an account, with or without what the authority said', async () => {
      const account = {
        key: one.key,
        url: 'https://acme.example/account/1',
        terms: { url: 'https://acme.example/terms', agreedAt: 1_790_000_000_123 },
      };
      await store.saveAccount(authority, { ...account, url: undefined, terms: undefined });
      expect(await reopen().account(authority)).toEqual({ key: one.key, url: undefined, terms: undefined });
      await store.saveAccount(authority, account);
      expect(await reopen().account(authority)).toEqual(account);
      expect(await reopen().account(other.authority)).toBeUndefined();
    });

    it('keeps an order until it is removed, before there is a certificate', async () => {
      const order: PendingOrder = {
        url: undefined,
        names: ['a.example', '192.0.2.1'],
        profile: 'shortlived',
        key: two.key,
        placedAt: 1_790_000_000_456,
      };
      await store.saveOrder(id, order);
      expect(await reopen().order(id)).toEqual(order);
      const placed = { ...order, url: 'https://acme.example/order/1', profile: undefined };
      await store.saveOrder(id, placed);
      expect(await reopen().order(id)).toEqual(placed);
      expect(await reopen().load(id)).toBeUndefined();
      await store.removeOrder(id);
      expect(await reopen().order(id)).toBeUndefined();
    });

    it('keeps the state as it was given', async () => {
      const state = { attempts: [1, 2], error: { message: 'port 80 is closed' } };
      await store.saveState(id, state);
      expect(await reopen().state(id)).toEqual(state);
    });

    it('runs one action at a time, and says who is at it', async () => {
      const result = await store.withLock(async (signal) => {
        expect(signal.aborted).toBe(false);
        const refusal = {
          code: 'locked',
          exitCode: exitCodes.locked,
          retryable: true,
          message: expect.stringMatching(
            new RegExp(`locked by .*process ${process.pid} on .* since 20\\d\\d-`),
          ) as string,
        };
        await expect(reopen().withLock(() => Promise.resolve())).rejects.toMatchObject(refusal);
        await expect(store.withLock(() => Promise.resolve())).rejects.toMatchObject(refusal);
        await store.save(id, one);
        return 'done';
      });
      expect(result).toBe('done');
      expect(await reopen().withLock(() => Promise.resolve('again'))).toBe('again');
    });

    it('gives the lock back after an action that failed', async () => {
      const failure = new Error('no');
      await expect(store.withLock(() => Promise.reject(failure))).rejects.toBe(failure);
      expect(await reopen().withLock(() => Promise.resolve('again'))).toBe('again');
    });
  });
}
