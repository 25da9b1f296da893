import { describe, expect, it } from 'vitest';
import type { DiskRoom } from '../../src/core/disk-room.ts';
import { startDiskWatch } from '../../src/host/disk-watch.ts';
import type { Alert } from '../../src/ports/alerter.ts';
import { SimulatedClock } from '../support/simulated-clock.ts';

const hour = 3_600_000;
const silent = { info() {}, warn() {}, error() {}, debug() {} } as never;

/** A disk of 20 GB, so that 1 GB is too little, in a time that is made. */
function scene(memory: { toldMs?: number | undefined } = {}) {
  const clock = new SimulatedClock(1_800_000_000_000);
  const disk = { freeBytes: 9e9, totalBytes: 20e9, limitBytes: 1e9, fewInodes: false };
  const alerts: Alert[] = [];
  const state = { deaf: false, broken: false };
  const start = () =>
    startDiskWatch({
      folder: '/data',
      room: async (): Promise<DiskRoom> => disk,
      memory: {
        read: async () => memory.toldMs,
        write: async (toldMs) => {
          if (state.broken) throw new Error('no space left');
          memory.toldMs = toldMs;
        },
      },
      alert: async (alert) => {
        if (state.deaf) throw new Error('no mail');
        alerts.push(alert);
      },
      clock,
      log: silent,
    });
  return { clock, disk, alerts, state, memory, start, kinds: () => alerts.map(({ kind }) => kind) };
}

describe('a disk', () => {
  it('that has room is nobody’s business', async () => {
    const { clock, start, kinds } = scene();
    const watch = start();
    await clock.run(48 * hour);
    expect(kinds()).toEqual([]);
    await watch.stop();
  });

  it('that is nearly full is told once, each day while it lasts, and when it is over, then once again', async () => {
    const { clock, disk, alerts, start, kinds } = scene();
    const watch = start();
    disk.freeBytes = 0.9e9;
    await clock.run(23 * hour);
    expect(kinds()).toEqual(['disk-low']);
    expect(alerts[0]!.subject).toContain('900 MB left');
    expect(alerts[0]!.body).toContain('900 MB of 20.0 GB are free, less than 1000 MB');
    await clock.run(2 * hour);
    expect(kinds()).toEqual(['disk-low', 'disk-low']);
    disk.freeBytes = 1.1e9;
    await clock.run(hour);
    disk.freeBytes = 0.9e9;
    await clock.run(hour);
    expect(kinds()).toHaveLength(2);
    disk.freeBytes = 2e9;
    await clock.run(30 * hour);
    disk.freeBytes = 0.5e9;
    await clock.run(hour);
    expect(kinds()).toEqual(['disk-low', 'disk-low', 'disk-recovered', 'disk-low']);
    await watch.stop();
  });

  it('without inodes is as full as one without bytes', async () => {
    const { clock, disk, alerts, start } = scene();
    disk.fewInodes = true;
    const watch = start();
    await clock.run(hour);
    expect(alerts.map(({ body }) => body)).toEqual([expect.stringContaining('inodes')]);
    await watch.stop();
  });

  it('is told of again until it gets through, and not again after a restart', async () => {
    const memory: { toldMs?: number | undefined } = {};
    const first = scene(memory);
    first.disk.freeBytes = 1;
    first.state.deaf = true;
    const watch = first.start();
    await first.clock.run(hour);
    first.state.deaf = false;
    await first.clock.run(hour);
    expect(first.kinds()).toEqual(['disk-low']);
    await watch.stop();
    const second = scene(memory);
    second.disk.freeBytes = 1;
    const next = second.start();
    await second.clock.run(hour);
    expect(second.kinds()).toEqual([]);
    await next.stop();
  });

  it('that takes not even the note of it is told of once all the same', async () => {
    const { clock, disk, state, start, kinds } = scene();
    state.broken = true;
    disk.freeBytes = 0;
    const watch = start();
    await clock.run(5 * hour);
    expect(kinds()).toEqual(['disk-low']);
    await watch.stop();
  });
});
