import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { takeLock } from '../../src/core/file-lock.ts';
import { shellWord } from '../../src/core/shell-word.ts';
import { applianceCommand } from '../support/appliance.ts';
import { type BackupScene, makeBackupScene } from '../support/backup-scene.ts';
import { onBareHost } from '../support/bare-host.ts';
import { openDatabase } from '../support/open-database.ts';
import { placeOf, type Postgres, startPostgres } from '../support/postgres.ts';
import { randomNumbers } from '../support/random-numbers.ts';
import { contentOf } from '../support/restore-scene.ts';
import { until } from '../support/until.ts';

let server: Postgres;
let count = 0;
beforeAll(async () => {
  server = await startPostgres('embedded');
});
afterAll(() => server.remove());

/** Every file of the host with its mode and content, but the database's and the archives. */
function filesOf({ folder }: BackupScene): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const top of ['data/certificates', 'secrets'])
    for (const path of readdirSync(join(folder, top), { recursive: true, encoding: 'utf8' })) {
      const file = join(folder, top, path);
      const stats = statSync(file);
      if (stats.isFile() && !path.endsWith('.tmp'))
        found[`${top}/${path}`] = `${(stats.mode & 0o777).toString(8)} ${readFileSync(file, 'utf8')}`;
    }
  return found;
}

const stateOf = async (scene: BackupScene) => {
  const { sessions: _, users = [], ...tables } = await contentOf(scene.database);
  // the last column ends the sessions of the user, which a restore does to all
  const withoutStamps = users.map((line) => (JSON.parse(line) as unknown[]).slice(0, -1));
  return { tables: { ...tables, users: withoutStamps }, files: filesOf(scene) };
};

/** Something else everywhere. */
async function change(scene: BackupScene): Promise<void> {
  const { queries } = scene.database;
  await queries.deleteFrom('users').execute();
  await queries
    .insertInto('users')
    .values({
      name: 'new',
      password_hash: '-',
      role: 'admin',
      created_ms: 5,
      last_sign_in_ms: null,
      disabled: false,
      session_stamp: 'stamp',
    })
    .execute();
  const rows = Array.from({ length: 2_000 }, (_, at_ms) => ({
    at_ms,
    actor: 'new',
    action: 'x',
    subject: null,
    address: null,
    details: '{}',
  }));
  await queries.insertInto('audit_log').values(rows).execute();
  const store = 'data/certificates/acme.example-dir';
  scene.write(`${store}/whoami.example.com/key.pem`, 'ANOTHER-KEY');
  scene.write(`${store}/account.key`, 'ANOTHER-ACCOUNT');
  scene.write('secrets/geoip.key', '1:another_key\n');
}

const create = (scene: BackupScene): string => {
  const made = scene.run('backup', 'create', '--json', '--passphrase-file', scene.passphraseFile);
  expect([made.status, made.stderr]).toEqual([0, expect.anything()]);
  return (JSON.parse(made.stdout) as { backup: { file: string } }).backup.file;
};
const restore = (scene: BackupScene, file: string, ...more: readonly string[]) =>
  scene.run('backup', 'restore', file, '--passphrase-file', scene.passphraseFile, ...more);
const safetyCopies = (scene: BackupScene) =>
  scene.archives().filter((name) => name.includes('before-restore'));
const litter = ({ dataDir }: BackupScene) =>
  readdirSync(dataDir, { recursive: true, encoding: 'utf8' }).filter((path) =>
    /scratch|\.restore|restore\.json/.test(path),
  );

describe('"backup restore" that asks a person', () => {
  it.each([
    [
      'at Ctrl-C',
      '\u0003',
      1,
      /error: interrupted; what was under way is not finished\nto do: run it again/m,
    ],
    ['at the end of its input', '\u0004', 1, /error: the input ended before all was answered; nothing was/m],
    ['at a no', 'n\n', 0, / nothing was changed$/m],
  ])('ends %s in its own words, and leaves nothing', async (_, keys, exitCode, words) => {
    const scene = await makeBackupScene();
    let child: ChildProcess | undefined;
    try {
      const file = create(scene);
      const changed = await stateOf(scene);
      const said = scene.write('said', '');
      const [program, ...leading] = applianceCommand();
      const options = ['--passphrase-file', scene.passphraseFile, '--secrets-dir', scene.secretsDir];
      const command = [program, ...leading, 'backup', 'restore', file, ...options].map(shellWord).join(' ');
      child = spawn('script', ['-qec', `exec ${command} 2>${said}`, '/dev/null'], {
        cwd: scene.folder,
        env: { PATH: process.env['PATH'], HOME: scene.folder, APP_DATA_DIR: scene.dataDir, TERM: 'dumb' },
        stdio: ['pipe', 'ignore', 'inherit'],
      });
      const closed = once(child, 'close');
      await until('the question', () => readFileSync(said, 'utf8').includes('Restore it? [y/N]'));
      child.stdin?.write(keys);
      const [status] = (await closed) as [number];
      expect([status, readFileSync(said, 'utf8')]).toEqual([exitCode, expect.stringMatching(words)]);
      expect(await stateOf(scene)).toEqual(changed);
      expect([safetyCopies(scene), litter(scene)]).toEqual([[], []]);
    } finally {
      child?.kill('SIGKILL');
      await scene.remove();
    }
  });
});

describe.each(['SQLite', 'PostgreSQL'])('"backup restore" into %s', (kind) => {
  let scene: BackupScene;
  let file: string;
  let old: Awaited<ReturnType<typeof stateOf>>;
  beforeEach(async () => {
    const isPostgres = kind === 'PostgreSQL';
    scene = await makeBackupScene(
      isPostgres ? placeOf(server, await server.createDatabase(`restore_${++count}`)) : undefined,
    );
    file = create(scene);
    old = await stateOf(scene);
    await change(scene);
  });
  afterEach(() => scene.remove());

  it('is proven first, brings back rows, keys and secrets, and the copy from before brings back the rest', async () => {
    const changed = await stateOf(scene);
    const proof = scene.run('backup', 'verify', '--passphrase-file', scene.passphraseFile);
    expect([proof.status, proof.stdout]).toEqual([
      0,
      expect.stringMatching(/can be restored\n[^]* users +2 rows, all the same\n/),
    ]);
    expect(scene.run('backup', 'list').stdout).toMatch(/ proven /);
    expect(await stateOf(scene)).toEqual(changed);
    const { status, stdout, stderr } = restore(scene, file, '--yes');
    expect([status, stderr]).toEqual([0, expect.not.stringContaining('error')]);
    expect(await stateOf(scene)).toEqual(old);
    expect((await scene.database.queries.selectFrom('sessions').select('user_id').execute()).length).toBe(0);
    expect(litter(scene)).toEqual([]);
    const audit = scene.database.queries.selectFrom('audit_log').selectAll().orderBy('id', 'desc');
    expect(await audit.executeTakeFirst()).toMatchObject({
      action: 'backup.restore',
      subject: basename(file),
    });
    const [copy] = safetyCopies(scene);
    expect(stdout).toContain(`to go back: appliance backup restore ${join(scene.backups, copy!)}`);
    expect(restore(scene, copy!, '--yes').status).toBe(0);
    expect(await stateOf(scene)).toEqual(changed);
  });

  it('copies what there is also where one before it was cut off, and names both copies', async () => {
    const first = create(scene);
    const journal = { archive: file, safetyCopy: first, startedMs: 1 };
    scene.write('data/backups/restore.json', JSON.stringify(journal));
    await scene.database.queries
      .insertInto('settings')
      .values({ key: 'late', value: '1', changed_ms: 1, changed_by: 'new' })
      .execute();
    const { status, stdout } = restore(scene, file, '--yes');
    expect(status).toBe(0);
    const [copy] = safetyCopies(scene);
    expect(stdout).toContain(`to go back: appliance backup restore ${first}`);
    expect(stdout).toContain(`what the run that was cut off had left: ${join(scene.backups, copy!)}`);
    expect(restore(scene, copy!, '--yes').status).toBe(0);
    const late = await scene.database.queries.selectFrom('settings').select('key').execute();
    expect(late.map(({ key }) => key)).toContain('late');
  });

  it('is refused before anything changes', async () => {
    const changed = await stateOf(scene);
    const wrong = scene.write('wrong', 'another passphrase\n');
    const damaged = `${file}.damaged`;
    const bytes = readFileSync(file);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(damaged, bytes);
    const lock = await takeLock({
      path: join(scene.backups, '.lock'),
      subject: 'the backups',
      holder: 'a test',
    });
    const whileLocked = restore(scene, file, '--yes');
    await lock.release();
    const refused: readonly [string, ReturnType<typeof restore>, number, RegExp][] = [
      ['the lock', whileLocked, 5, /locked by a test/],
      ['nobody to ask', restore(scene, file), 2, /--yes/],
      [
        'another passphrase',
        scene.run('backup', 'restore', file, '--yes', '--passphrase-file', wrong),
        2,
        /passphrase is not the one/,
      ],
      ['no passphrase', scene.run('backup', 'restore', file, '--yes'), 2, /encrypted/],
      ['damage', restore(scene, damaged, '--yes'), 3, /damaged/],
    ];
    for (const [what, { status, stderr }, exitCode, message] of refused) {
      expect([what, status]).toEqual([what, exitCode]);
      expect(stderr).toMatch(message);
    }
    const key = join(scene.dataDir, 'certificates/acme.example-dir/account.key');
    const content = readFileSync(key);
    rmSync(key);
    mkdirSync(key);
    expect(restore(scene, file, '--yes').stderr).toMatch(/account\.key is in the way/);
    rmSync(key, { recursive: true });
    writeFileSync(key, content, { mode: 0o600 });
    expect(await stateOf(scene)).toEqual(changed);
    expect(safetyCopies(scene)).toEqual([]);
    expect(litter(scene)).toEqual([]);
  });

  it('gets over a database that a newer release changed: it is kept aside whole, and nothing else works on it', async () => {
    const { queries } = scene.database;
    const run = (statement: string) => sql.raw(statement).execute(queries);
    await run("insert into schema_migrations values ('0002-future', 5, '9.9.9', '9.9.9')");
    await run('create table later (x integer references users (id))');
    await run('insert into later select id from users');
    await run('create view later_names as select name from users, later where x = id');
    for (const command of [
      ['admin', 'user', 'list'],
      ['backup', 'create'],
      ['backup', 'export', '--pg-dump', '-'],
    ]) {
      const { status, stderr } = scene.run(...command);
      expect([command, status, stderr]).toEqual([
        command,
        2,
        expect.stringMatching(/only 9\.9\.9 and later[^]*restore a backup that was made before 9\.9\.9/),
      ]);
    }
    const { status, stdout, stderr } = restore(scene, file, '--yes');
    expect([status, stderr]).toEqual([0, expect.not.stringContaining('error')]);
    expect(await stateOf(scene)).toEqual(old);
    expect(litter(scene)).toEqual([]);
    const kept = /the database of the newer release: (.*)/.exec(stdout)?.[1] ?? '';
    const names = 'select name from later_names';
    if (kind === 'PostgreSQL') {
      const schema = /^the schema (appliance_newer_\w+)$/.exec(kept)?.[1] ?? '';
      expect((await run(names.replace('later', `${schema}.later`))).rows).toEqual([{ name: 'new' }]);
    } else {
      expect(statSync(kept).mode & 0o777).toBe(0o600);
      const aside = openDatabase({ kind: 'sqlite', file: kept });
      expect((await sql.raw(names).execute(aside.queries)).rows).toEqual([{ name: 'new' }]);
      await aside.close();
    }
    await expect(run(names)).rejects.toMatchObject({ code: 'database-statement' });
    expect(scene.run('admin', 'user', 'list').status).toBe(0);
    await change(scene);
    expect(restore(scene, file, '--yes').status).toBe(0);
    expect(await stateOf(scene)).toEqual(old);
  });

  it('that goes on still says where the first run kept the database of a newer release', async () => {
    const run = (statement: string) => sql.raw(statement).execute(scene.database.queries);
    await run("insert into schema_migrations values ('0002-future', 5, '9.9.9', '9.9.9')");
    const place = 'the database of the newer release: ';
    const first = restore(scene, file, '--yes');
    const kept = first.stdout.split('\n').find((line) => line.includes(place));
    const safetyCopy = /without a row: (.*)/.exec(first.stdout)![1]!;
    const journal = { archive: file, safetyCopy, newer: kept!.split(place)[1], startedMs: 0 };
    // as a run leaves it that was killed before its files were in place
    writeFileSync(join(scene.dataDir, 'backups', 'restore.json'), JSON.stringify(journal));
    const { status, stdout } = restore(scene, file, '--yes');
    expect([status, stdout]).toEqual([0, expect.stringContaining(kept!)]);
    expect(stdout).toContain(`without a row: ${safetyCopy}\n`);
    expect(stdout).not.toContain('to go back');
  });

  it('never leaves a mixture of rows when it is killed, and comes to its end when it is run again', async () => {
    const changed = await stateOf(scene);
    const random = randomNumbers(kind.length);
    const states = [
      { archive: create(scene), state: changed },
      { archive: file, state: old },
    ];
    const startedAt = performance.now();
    expect(restore(scene, file, '--yes').status).toBe(0);
    const takesMs = performance.now() - startedAt;
    for (let round = 0; round < 2; round++) {
      const [to, from] = round % 2 === 0 ? [states[0]!, states[1]!] : [states[1]!, states[0]!];
      const flags = ['--yes', '--passphrase-file', scene.passphraseFile];
      const running = scene.start('backup', 'restore', to.archive, ...flags);
      // where the work is, not where the program is still being read
      await wait(takesMs * (0.4 + 0.6 * random()));
      running.kill('SIGKILL');
      if (running.exitCode === null && running.signalCode === null) await once(running, 'exit');
      const { tables } = await stateOf(scene);
      const isNew = JSON.stringify(tables) === JSON.stringify(to.state.tables);
      if (!isNew) expect(tables).toEqual(from.state.tables);
      const again = restore(scene, to.archive, '--yes');
      expect([again.status, again.stderr]).toEqual([0, expect.anything()]);
      expect(await stateOf(scene)).toEqual(to.state);
      expect(litter(scene)).toEqual([]);
    }
  });
});

describe('an embedded database that is damaged', () => {
  it.each([
    ['no database at all', () => Buffer.from('this is no database '.repeat(500))],
    ['cut off', (whole: Buffer) => whole.subarray(0, whole.length >> 1)],
  ])('(%s) is set aside whole, and a new one gets the rows', async (_, damage) => {
    const scene = await makeBackupScene();
    const archive = create(scene);
    const old = await stateOf(scene);
    await scene.database.close();
    const file = join(scene.dataDir, 'state.sqlite');
    const damaged = damage(readFileSync(file));
    writeFileSync(file, damaged);
    const { status, stdout, stderr } = restore(scene, archive, '--yes');
    expect([status, stderr]).toEqual([0, expect.stringMatching(/is damaged: it is kept as .*damaged-/)]);
    const aside = /the database that was damaged: (.*)/.exec(stdout)?.[1] ?? '';
    expect(readFileSync(aside).equals(damaged)).toBe(true);
    const database = openDatabase({ kind: 'sqlite', file });
    expect(await stateOf({ ...scene, database })).toEqual(old);
    await database.close();
    await scene.remove();
  });
});

describe('a new empty host', () => {
  let scene: BackupScene;
  beforeEach(async () => {
    scene = await makeBackupScene();
  });
  afterEach(() => scene.remove());

  it('gets rows, certificates and configuration by one command', async () => {
    const old = await stateOf(scene);
    const file = join(scene.folder, 'archive.tar.zst.age');
    cpSync(create(scene), file);
    await scene.database.close();
    rmSync(scene.dataDir, { recursive: true });
    rmSync(scene.secretsDir, { recursive: true });
    const { status, stderr } = restore(scene, file, '--yes');
    expect([status, stderr]).toEqual([0, expect.not.stringContaining('error')]);
    const database = openDatabase({ kind: 'sqlite', file: join(scene.dataDir, 'state.sqlite') });
    const { files, tables } = await stateOf({ ...scene, database });
    await database.close();
    expect(tables).toEqual(old.tables);
    // whoever made the folder may be less strict than we are
    expect(Object.keys(files).filter((path) => !path.includes('stand-in'))).toEqual(
      Object.keys(old.files).filter((path) => !path.includes('stand-in')),
    );
    expect(statSync(scene.secretsDir).mode & 0o777).toBe(0o750);
  });
});

describe('a host that is not installed', () => {
  it('keeps what an archive without passphrase holds where an install finds it', async () => {
    const scene = await makeBackupScene();
    const made = scene.run('backup', 'create', '--json', '--no-encryption');
    const { file } = (JSON.parse(made.stdout) as { backup: { file: string } }).backup;
    const { status, stdout, stderr } = onBareHost(
      scene.folder,
      `appliance backup restore ${file} --yes; stat -c '%U %a' /var/lib/appliance /var/lib/appliance/state.sqlite; ls -A`,
    );
    expect([status, stderr]).toEqual([0, expect.stringContaining('the state goes to /var/lib/appliance')]);
    expect(stdout).toMatch(/\nappliance 750\nappliance 600\n$/);
    await scene.remove();
  });

  it('is called so, with the folder, where people and backups go elsewhere than an install looks', async () => {
    const scene = await makeBackupScene();
    const script =
      "echo 'a password of 3 words' | appliance admin user add anna --password-stdin; appliance backup create";
    const { status, stderr } = onBareHost(scene.folder, script);
    const told = `this host is not installed: what is kept is in ${scene.folder}/home/.appliance,`;
    expect([status, stderr.split(told).length]).toEqual([0, 3]);
    await scene.remove();
  });
});

describe('a folder that is a link to elsewhere', () => {
  it('is not followed', async () => {
    const scene = await makeBackupScene();
    const file = create(scene);
    const elsewhere = mkdtempSync(join(scene.folder, 'elsewhere-'));
    const place = join(scene.dataDir, 'certificates/acme.example-dir');
    rmSync(place, { recursive: true });
    symlinkSync(elsewhere, place);
    const { status, stderr } = restore(scene, file, '--yes');
    expect([status, stderr]).toEqual([1, expect.stringMatching(/in the way/)]);
    expect(readdirSync(elsewhere)).toEqual([]);
    await scene.remove();
  });
});
