import { describe, expect, it } from 'vitest';
import { createSlots } from '../../src/core/slots.ts';

describe('places', () => {
  it('are given first come, first served, never more than there are', async () => {
    const slots = createSlots(2);
    let inUse = 0;
    let most = 0;
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 20 }, async (_, at) => {
        const giveBack = await slots.take(5_000);
        order.push(at);
        most = Math.max(most, ++inUse);
        await new Promise(setImmediate);
        inUse--;
        giveBack!();
        giveBack!();
      }),
    );
    expect(most).toBe(2);
    expect(order).toEqual(Array.from({ length: 20 }, (_, at) => at));
  });

  it('are waited for no longer than asked', async () => {
    const slots = createSlots(1);
    const giveBack = await slots.take(0);
    expect(await slots.take(20)).toBeUndefined();
    giveBack!();
    expect(await slots.take(0)).toBeDefined();
  });
});
