import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../src/ports/database.ts';
import { openCache } from '../support/cache-client.ts';
import { logLines } from '../support/log-lines.ts';
import { openDatabase, type OpenOptions } from '../support/open-database.ts';
import { randomNumbers } from '../support/random-numbers.ts';
import { until } from '../support/until.ts';

const base = mkdtempSync(join(tmpdir(), 'database-file-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
const support = join(import.meta.dirname, '..', 'support');

let file: string;
const opened: Database[] = [];
const children: ChildProcess[] = [];
beforeEach(() => {
  file = join(mkdtempSync(join(base, 'x')), 'data', 'state.sqlite');
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await Promise.all(opened.splice(0).map((each) => each.close()));
});
const open = (options: OpenOptions = {}): Database => {
  const one = openDatabase({ kind: 'sqlite', file }, options);
  opened.push(one);
  return one;
};
const run = (program: string, ...args: string[]): { child: ChildProcess; said: string[] } => {
  const child = spawn(process.execPath, [join(support, program), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const said: string[] = [];
  createInterface(child.stdout).on('line', (line) => said.push(line));
  return { child, said };
};
/** The shared locks that this process has on a file. */
const readLocks = (path: string): string[] =>
  readdirSync('/proc/self/fd')
    .filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === path;
      } catch {
        return false; // the one that lists them
      }
    })
    .flatMap((fd) => readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').split('\n'))
    .filter((line) => /^lock:.*\bREAD\b/.test(line));
const add = (database: Database, asn: number, name = 'x') =>
  database.queries.insertInto('network_operators').values({ asn, name }).execute();
const all = (database: Database) => database.queries.selectFrom('network_operators').select('asn').execute();

describe('when the file is removed while it is open', () => {
  it('the look at it says so, and is well again where that very file is back', async () => {
    const database = open();
    await database.migrate();
    expect(await database.probe()).toMatchObject({ status: 'up' });
    linkSync(file, `${file}.kept`);
    rmSync(file);
    expect((await database.probe()).failure).toMatchObject({ code: 'database-file-gone' });
    expect(database.state().words).toMatch(/state\.sqlite was removed while it was in use/);
    writeFileSync(file, '');
    expect((await database.probe()).words).toMatch(/was replaced/);
    renameSync(`${file}.kept`, file);
    expect((await database.probe()).failure).toBeUndefined();
  });

  it('the look at it says nothing of that where it only cannot be looked at', async () => {
    const database = open();
    await database.migrate();
    expect(await database.probe()).toMatchObject({ status: 'up' });
    const folder = join(file, '..');
    renameSync(folder, `${folder}.kept`);
    symlinkSync(folder, folder); // a link that leads to itself
    expect((await database.probe()).failure).toBeUndefined();
    rmSync(folder);
    renameSync(`${folder}.kept`, folder);
    expect(await database.probe()).toMatchObject({ status: 'up', failure: undefined });
  });
});

describe('while another process holds BEGIN EXCLUSIVE', () => {
  it('reading goes on, the loop keeps time, and writing waits for the end of it', async () => {
    const database = open({ patience: { lockMs: 60_000 } });
    await database.migrate();
    await add(database, 1);
    const { child, said } = run('lock-holder.ts', file);
    await until('it to hold the lock', () => said.includes('held'));
    let longest = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 10);
    const written = add(database, 2);
    const givenUp = add(open({ patience: { lockMs: 5_000 } }), 3).catch((error: unknown) => error);
    for (let read = 0; read < 20; read++) expect(await all(database)).toEqual([{ asn: 1 }]);
    expect(await givenUp).toMatchObject({ code: 'database-busy', retryable: true });
    clearInterval(timer);
    longest = Math.max(longest, performance.now() - last);
    child.kill('SIGKILL');
    await written;
    expect(await all(database)).toEqual([{ asn: 1 }, { asn: 2 }]);
    // a loop that waits stands still for all of the five seconds
    expect(longest).toBeLessThan(2_500);
  });
});

describe('whoever is killed at any moment', () => {
  it('leaves all that was committed, and a file that is whole', async () => {
    const next = randomNumbers(11);
    let committed = 0;
    for (let kill = 0; kill < 8; kill++) {
      const { child, said } = run('counting-writer.ts', file);
      const before = committed;
      await until('it to write', () => Number(said.at(-1) ?? 0) > before + 3);
      await wait(next() * 60);
      child.kill('SIGKILL');
      await once(child, 'close');
      committed = Number(said.at(-1));
      const looking = new DatabaseSync(file, { readOnly: true });
      const kept = looking.prepare('select count(*) as count, max(asn) as last from network_operators').get();
      // one more may have been committed before it could be said
      expect([committed, committed + 1]).toContain(kept!['last']);
      expect(kept!['count']).toBe(kept!['last']);
      expect(looking.prepare('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' });
      looking.close();
      committed = Number(kept!['last']);
    }
  });
});

describe('the file', () => {
  it('and its folder are the owner’s alone, with all that SQLite puts beside it', async () => {
    const database = open();
    await database.migrate();
    await add(database, 1);
    const folder = join(file, '..');
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const names = readdirSync(folder);
    expect(names.toSorted()).toEqual(['state.sqlite', 'state.sqlite-shm', 'state.sqlite-wal']);
    for (const name of names) expect(statSync(join(folder, name)).mode & 0o777, name).toBe(0o600);
    await database.close();
    expect(readdirSync(folder)).toEqual(['state.sqlite']);
  });

  it('stays locked for as long as it is open, whatever else in the process opens it', async () => {
    const before = open();
    await before.migrate();
    await before.close();
    const database = open();
    await database.probe();
    expect(readLocks(file)).toHaveLength(1);
    await database.migrate();
    const cache = openCache({ dataDir: join(file, '..') }, logLines());
    const answers = cache.namespace({ name: 'answers', maxEntries: 10, maxValueBytes: 100 });
    await until('the cache to be open', () => answers.set('a', '1'));
    await Promise.all([all(database), all(database), open().probe()]);
    expect(readLocks(file)).toHaveLength(1);
    await cache.close();
  });

  it('that is no database is refused by name, and not touched', async () => {
    mkdirSync(join(file, '..'), { recursive: true });
    const text = 'this is no database, but it is somebody’s '.repeat(200);
    writeFileSync(file, text);
    const database = open();
    await expect(database.migrate()).rejects.toMatchObject({ code: 'database-damaged', retryable: false });
    expect(await database.probe()).toMatchObject({
      status: 'down',
      words: expect.stringContaining('down since') as string,
    });
    expect(statSync(file).size).toBe(Buffer.byteLength(text));
  });

  it('that cannot be made is refused by name, and made once it can', async () => {
    writeFileSync(join(file, '..'), 'a file where the folder should be');
    const database = open();
    await expect(add(database, 1)).rejects.toMatchObject({
      code: 'database-unopenable',
      remedy: expect.stringContaining(`ls -ld`) as string,
    });
    rmSync(join(file, '..'));
    await until('it to be there', async () => (await database.probe()).status === 'up');
    await database.migrate();
    await add(database, 1);
  });

  it('that is a folder is refused by name', async () => {
    mkdirSync(file, { recursive: true });
    chmodSync(file, 0o700);
    await expect(add(open(), 1)).rejects.toMatchObject({ code: 'database-unopenable' });
  });
});

describe('a disk', () => {
  const disk = (size: string, program: string): string =>
    execFileSync(
      'unshare',
      [
        '-m',
        'sh',
        '-ec',
        `mount -t tmpfs -o size=${size} none "$1"; exec "$2" "$3"`,
        'sh',
        base,
        process.execPath,
        join(support, program),
      ],
      { encoding: 'utf8', env: { ...process.env, DISK: base } },
    );

  it('that is full is told in words, and after some space was made the next write succeeds', () => {
    expect(JSON.parse(disk('1536k', 'full-disk.ts'))).toEqual({
      failure: 'database-full',
      retryable: true,
      words: expect.stringMatching(/up, but .*full/) as string,
      kept: true,
      after: 'up',
      failureAfter: null,
    });
  });

  it('that may only be read is told in words', () => {
    expect(JSON.parse(disk('4m', 'read-only-disk.ts'))).toEqual({ failure: 'database-read-only' });
  });
});
