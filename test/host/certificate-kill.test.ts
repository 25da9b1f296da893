import { afterAll, beforeAll } from 'vitest';
import { expectNothingHalf } from '../support/certificate-kill-calls.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';

let pebble: Pebble;
beforeAll(async () => {
  pebble = await startPebble();
});
afterAll(() => pebble.stop());

expectNothingHalf(() => pebble, { first: 1, step: 1 });
