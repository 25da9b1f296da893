import { afterEach, describe, expect, it } from 'vitest';
import { startSuccessor, type Successor } from '../../src/supervisor/successor.ts';

const log = { debug() {}, info() {}, warn() {}, error() {}, debugging: false };

let successor: Successor;
afterEach(() => successor.kill());

/** Starts one that tells of these faults, '' for none: the first before it is ready, the others 100 ms apart, the last ever again. */
async function ready(first?: string, ...others: readonly string[]): Promise<Successor> {
  const program = `
    const health = (fault) => process.send({ type: 'health', health: { faults: fault === '' ? [] : [fault], https: {} } });
    process.send({ type: 'hello', version: '2.0.0' });
    process.on('message', ({ type }) => {
      if (type !== 'begin') return;
      const [first, ...others] = ${JSON.stringify([first, ...others])};
      if (first !== null) health(first);
      process.send({ type: 'ready' });
      if (others.length > 0) setInterval(() => health(others.length > 1 ? others.shift() : others[0]), 100);
    });`;
  successor = startSuccessor({
    file: process.execPath,
    arguments: ['--eval', program],
    environment: process.env,
    secrets: {},
    manager: {},
    claims: [],
    log,
  });
  await successor.begun();
  await successor.ready();
  return successor;
}

describe('a new version that is watched', () => {
  it('takes over though the last that it told was one fault, which is gone when it tells again', async () => {
    await expect((await ready('a fault', '')).watch(1, {})).resolves.toBeUndefined();
  });

  it('does not take over when its faults begin as the watch ends', async () => {
    await expect((await ready('', 'a fault', 'another')).watch(1, {})).rejects.toMatchObject({
      code: 'upgrade-went-back',
      message: /is not well: another/,
    });
  });

  it('does not take over when it says nothing once it is ready', async () => {
    await expect((await ready()).watch(60_000, {})).rejects.toMatchObject({
      code: 'upgrade-went-back',
      message: /has said nothing for 5 s/,
    });
  });
});
