import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { Failure } from '../../src/core/errors.ts';
import { takeLock } from '../../src/core/file-lock.ts';

/**
 * A program for tests to kill: takes a lock again and again for some milliseconds, prints `held` each time, and
 * `two holders` should that happen. The witness is an abstract socket: the kernel lets one process have it, and takes it
 * back when that process ends, however it ends.
 */
const [path = '', witness = ''] = process.argv.slice(2);

for (;;) {
  try {
    const lock = await takeLock({ path, subject: 'the things', holder: 'a contender' });
    const server = createServer().listen(`\0${witness}`);
    try {
      await once(server, 'listening');
    } catch {
      writeSync(1, 'two holders\n');
    }
    await wait(Math.random() * 6);
    await lock.check();
    writeSync(1, 'held\n');
    server.close();
    await once(server, 'close');
    await lock.release();
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'locked') {
      writeSync(1, `failed ${String(error)}\n`);
      throw error;
    }
  }
}
