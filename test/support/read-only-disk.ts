import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Failure } from '../../src/core/errors.ts';
import { openDatabase } from './open-database.ts';

/** A program for tests: makes a database on the disk at DISK, has that disk become read-only, and opens it again. */
const disk = process.env['DISK']!;
const open = () => openDatabase({ kind: 'sqlite', file: join(disk, 'data', 'state.sqlite') });
const before = open();
await before.migrate();
await before.close();
execFileSync('mount', ['-o', 'remount,ro', disk]);
const database = open();
const failure = await database.migrate().then(
  () => undefined,
  (error: unknown) => error as Failure,
);
await database.close();
process.stdout.write(JSON.stringify({ failure: failure?.code }));
