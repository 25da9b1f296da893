import { describe, expect, it } from 'vitest';
import { createVisitTally } from '../../src/whoami/visit-tally.ts';

describe('visits beside the answers', () => {
  it('are nothing where nobody came', () => {
    const tally = createVisitTally({ keepAddresses: true });
    expect(tally.take()).toBeUndefined();
    tally.groupOf('DE', 64_496, 'Example');
    expect(tally.take()).toBeUndefined();
  });

  it('are counted by country, network operator and class of status, and told once', () => {
    const tally = createVisitTally({ keepAddresses: false });
    const german = tally.groupOf('DE', 64_496, 'Example');
    expect(tally.groupOf('DE', 64_496, 'Example, Inc.')).toBe(german);
    const french = tally.groupOf('FR', 64_496, 'Example');
    for (const status of [200, 200, 204, 301, 404, 405, 503]) tally.count(german, status, '192.0.2.1');
    tally.count(french, 200, '192.0.2.2');
    const before = Date.now();
    const batch = tally.take()!;
    expect(batch.visits).toEqual([
      ['DE', 64_496, 'Example', 2, 3],
      ['DE', 64_496, 'Example', 3, 1],
      ['DE', 64_496, 'Example', 4, 2],
      ['DE', 64_496, 'Example', 5, 1],
      ['FR', 64_496, 'Example', 2, 1],
    ]);
    expect(Math.abs(batch.atMs - before)).toBeLessThan(1000);
    expect(tally.take()).toBeUndefined();
    tally.count(german, 200, '192.0.2.1');
    expect(tally.take()!.visits).toEqual([['DE', 64_496, 'Example', 2, 1]]);
  });

  it('from nowhere that is known are counted as such', () => {
    const tally = createVisitTally({ keepAddresses: false });
    for (const group of [
      tally.groupOf(undefined, undefined, undefined),
      tally.groupOf('', 0, ''),
      // no code of a country, whatever the database holds
      tally.groupOf('de', undefined, undefined),
      tally.groupOf('D\0', undefined, undefined),
      tally.groupOf('DEU', undefined, undefined),
    ])
      tally.count(group, 200, '127.0.0.1');
    expect(tally.take()!.visits).toEqual([['', 0, '', 2, 5]]);
  });

  it('hold no name that a database would refuse', () => {
    const tally = createVisitTally({ keepAddresses: false });
    tally.count(tally.groupOf('DE', 1, `a\0${'ü'.repeat(1000)}`), 200, '192.0.2.1');
    const [[, , operator] = []] = tally.take()!.visits;
    expect(operator).toBe(`a${'ü'.repeat(199)}`);
  });

  it('come with addresses only where those are kept', () => {
    const without = createVisitTally({ keepAddresses: false });
    const tally = createVisitTally({ keepAddresses: true });
    for (const each of [without, tally]) {
      const group = each.groupOf('DE', 1, '');
      for (const address of ['192.0.2.1', '2001:db8::1', '192.0.2.1']) each.count(group, 200, address);
    }
    expect(without.take()!.addresses).toEqual([]);
    expect(tally.take()!.addresses).toEqual([
      ['192.0.2.1', 2],
      ['2001:db8::1', 1],
    ]);
    tally.count(tally.groupOf('DE', 1, ''), 200, '192.0.2.9');
    expect(tally.take()!.addresses).toEqual([['192.0.2.9', 1]]);
  });

  it('take a bounded memory: addresses that are too many are not kept, the visits are counted all the same', () => {
    const tally = createVisitTally({ keepAddresses: true });
    const group = tally.groupOf('DE', 1, '');
    for (let index = 0; index < 30_000; index++) tally.count(group, 200, `192.0.2.${index}`);
    tally.count(group, 200, '192.0.2.0');
    const { visits, addresses } = tally.take()!;
    expect(visits).toEqual([['DE', 1, '', 2, 30_001]]);
    expect(addresses).toHaveLength(20_000);
    expect(addresses[0]).toEqual(['192.0.2.0', 2]);
  });

  it('from more operators than there are let go of those that nobody holds, and lose no visit', () => {
    const tally = createVisitTally({ keepAddresses: false });
    const held = tally.groupOf('DE', 0, '');
    for (let asn = 0; asn < 25_000; asn++) tally.count(tally.groupOf('DE', asn, ''), 200, '');
    expect(tally.take()!.visits).toHaveLength(25_000);
    const anew = tally.groupOf('DE', 0, '');
    expect(anew).not.toBe(held);
    tally.count(held, 200, '');
    tally.count(anew, 200, '');
    const counted = tally.take()!.visits.reduce((sum, [, , , , visits]) => sum + visits, 0);
    expect(counted).toBe(2);
  });
});
