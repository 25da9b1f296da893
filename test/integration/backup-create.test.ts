import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { archiveName } from '../../src/backup/archive-name.ts';
import type { ArchiveHead, Manifest } from '../../src/backup/format.ts';
import { takeLock } from '../../src/core/file-lock.ts';
import { applianceCommand } from '../support/appliance.ts';
import { type BackupScene, makeBackupScene, oddName, passphrase, unpack } from '../support/backup-scene.ts';
import { openDatabase } from '../support/open-database.ts';
import { placeOf, type Postgres, startPostgres } from '../support/postgres.ts';
import { until } from '../support/until.ts';

let server: Postgres;
let count = 0;
beforeAll(async () => {
  server = await startPostgres('embedded');
});
afterAll(() => server.remove());

const textOf = (...path: readonly string[]) => readFileSync(join(...path), 'utf8');
const jsonOf = (...path: readonly string[]): unknown => JSON.parse(textOf(...path));
const rowsOf = (unpacked: string, table: string): unknown[][] =>
  textOf(unpacked, 'tables', table, '000001.ndjson')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown[]);
/** Newest last. */
const newest = (scene: BackupScene) => join(scene.backups, scene.archives().toSorted().at(-1)!);

describe.each(['SQLite', 'PostgreSQL'])('"backup create" of %s', (kind) => {
  let scene: BackupScene;
  beforeAll(async () => {
    const isPostgres = kind === 'PostgreSQL';
    const place = isPostgres ? placeOf(server, await server.createDatabase(`create_${++count}`)) : undefined;
    scene = await makeBackupScene(place);
  });
  afterAll(() => scene.remove());

  it('writes an archive that tar and zstd read, with every row as it is and a sum of every entry', () => {
    const made = scene.run('backup', 'create', '--json');
    expect([made.status, made.stderr.includes('key.pem')]).toEqual([0, false]);
    const { backup } = JSON.parse(made.stdout) as {
      backup: { file: string; tables: unknown; encrypted: boolean };
    };
    expect(statSync(backup.file).mode & 0o777).toBe(0o600);
    expect(statSync(scene.backups).mode & 0o777).toBe(0o700);
    const unpacked = join(scene.folder, 'plain');
    unpack(backup.file, unpacked);
    const head = jsonOf(unpacked, 'archive.json') as ArchiveHead;
    expect(head).toMatchObject({ format: 'appliance-backup', version: 1, secrets: false });
    expect(head.database).toBe(kind === 'SQLite' ? 'sqlite' : 'postgres');
    expect(head.migrations[0]).toBe('0001-state');
    const names = head.tables.map(({ name }) => name);
    expect(names).toContain('visits');
    for (const left of ['sessions', 'visit_writers', 'schema_migrations', 'cache_entries'])
      expect(names).not.toContain(left);
    const columns = head.tables.find(({ name }) => name === 'users')!.columns.map(({ name }) => name);
    const known = ['name', 'password_hash', 'role', 'created_ms', 'last_sign_in_ms', 'disabled'];
    expect(
      rowsOf(unpacked, 'users').map((row) => known.map((column) => row[columns.indexOf(column)])),
    ).toEqual([
      [oddName, '$argon2id$…', 'admin', 1, null, false],
      ['', '-', 'viewer', -1, 2, true],
    ]);
    expect(rowsOf(unpacked, 'geoip_editions')[0]?.slice(4)).toEqual([
      2 ** 40,
      Buffer.alloc(32, 7).toString('base64'),
    ]);
    expect(textOf(unpacked, 'tables', 'settings', '000001.ndjson')).toContain('"big":12345678901234567890');
    expect(rowsOf(unpacked, 'kept_addresses')).toHaveLength(3);
    const manifest = jsonOf(unpacked, 'manifest.json') as Manifest;
    for (const { path, size, sha256 } of manifest.entries) {
      const bytes = readFileSync(join(unpacked, path));
      const hash = createHash('sha256').update(bytes).digest('hex');
      expect([path, bytes.length, hash]).toEqual([path, size, sha256]);
    }
    expect(manifest.tables.find(({ name }) => name === 'audit_log')?.rows).toBe(2);
    expect(manifest.tables).toEqual(backup.tables);
  });

  it('leaves every secret out of an archive that is not encrypted, and says which files', () => {
    const made = scene.run('backup', 'create');
    const bytes = execFileSync('zstd', ['-qdc', newest(scene)], { maxBuffer: 1e8 }).toString('latin1');
    for (const secret of scene.secrets)
      expect([secret, bytes.includes(Buffer.from(secret).toString('latin1'))]).toEqual([secret, false]);
    expect(bytes).toContain('BACKUP_KEEP=3');
    expect(bytes).toContain('the chain');
    for (const name of ['geoip.key', 'notes'])
      expect(made.stderr).toContain(`${join(scene.secretsDir, name)} is not in`);
    expect(made.stdout).toContain(
      'not encrypted, with the password hashes of 2 users, without private keys and passwords',
    );
  });

  it('keeps keys and passwords in an encrypted one, which age reads', () => {
    const made = scene.run('backup', 'create', '--passphrase-file', scene.passphraseFile);
    expect([made.status, made.stderr]).toEqual([0, '']);
    const plain = join(scene.folder, 'decrypted.tar.zst');
    // age asks the terminal alone
    spawnSync('script', ['-qec', `age -d -o '${plain}' '${newest(scene)}'`, '/dev/null'], {
      input: `${passphrase}\n`,
    });
    const unpacked = join(scene.folder, 'secret');
    unpack(plain, unpacked);
    const folder = join(unpacked, 'files/certificates/acme.example-dir');
    expect(textOf(folder, 'whoami.example.com/key.pem')).toBe('PRIVATE-KEY-OF-THE-PAIR');
    expect(statSync(join(folder, 'account.key')).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).toSorted()).toEqual(['account.key', 'whoami.example.com']);
    expect(existsSync(join(unpacked, 'files/certificates/stand-in'))).toBe(false);
    expect(textOf(unpacked, 'files/configuration/app.env')).toBe(textOf(scene.secretsDir, 'app.env'));
    expect((jsonOf(unpacked, 'archive.json') as ArchiveHead).secrets).toBe(true);
  });

  it('reads all tables as they were at one moment, while others write', async () => {
    const { database } = scene;
    await database.queries.insertInto('network_operators').values({ asn: 0, name: '0' }).execute();
    let stopped = false;
    /** Each transaction writes to the first table that is read, and to the last. */
    const writing = (async () => {
      for (let turn = 1; !stopped; turn++)
        await database.transaction(async (transaction) => {
          await transaction
            .insertInto('certificate_events')
            .values({
              at_ms: turn,
              event: 'x',
              name: 'x',
              authority: 'x',
              not_after_ms: null,
              error: null,
              details: '{}',
            })
            .execute();
          await transaction
            .updateTable('network_operators')
            .set({ name: String(turn) })
            .where('asn', '=', 0)
            .execute();
        });
      return true;
    })();
    const child = scene.start('backup', 'create');
    await once(child, 'exit');
    stopped = true;
    await writing;
    const unpacked = join(scene.folder, 'moment');
    unpack(newest(scene), unpacked);
    const events = rowsOf(unpacked, 'certificate_events');
    const turns = rowsOf(unpacked, 'network_operators').find(([asn]) => asn === 0)?.[1];
    expect(events.length).toBeGreaterThan(1);
    expect(turns).toBe(String(events.length));
  });

  it('keeps the newest BACKUP_KEEP and what is not ours', () => {
    writeFileSync(join(scene.backups, 'mine.tar.zst'), 'mine');
    for (const day of ['20200101', '20200102', '20200103'])
      writeFileSync(join(scene.backups, `appliance-${day}T000000Z.tar.zst`), '');
    const before = '20200101T000000Z-before-restore';
    writeFileSync(join(scene.backups, `appliance-${before}.tar.zst`), '');
    const made = scene.run('backup', 'create');
    expect(made.stdout).toContain('removed appliance-20200101T000000Z.tar.zst');
    const left = scene.archives();
    expect(left).toContain('mine.tar.zst');
    expect(left).toContain(`appliance-${before}.tar.zst`);
    const ours = left.filter((name) => !name.includes('before') && name !== 'mine.tar.zst');
    expect(ours.filter((name) => name.endsWith('.zst'))).toHaveLength(3);
    const listed = JSON.parse(scene.run('backup', 'list', '--json').stdout) as {
      backups: { file: string }[];
    };
    expect(listed.backups[0]?.file).toBe(
      [...left]
        .filter((name) => name !== 'mine.tar.zst')
        .toSorted()
        .map((name) => join(scene.backups, name))
        .at(-1),
    );
  });

  it('exports SQL from which psql makes the same database in an empty PostgreSQL', async () => {
    const name = await server.createDatabase(`export_${++count}`);
    const file = join(scene.folder, 'state.sql');
    expect(scene.run('backup', 'export', '--pg-dump', file)).toMatchObject({ status: 0 });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const env = { ...process.env, PGPASSWORD: server.password };
    const where = ['-h', '127.0.0.1', '-p', String(server.port), '-U', server.user, '-d', name];
    execFileSync('psql', ['--no-psqlrc', '--quiet', '--set', 'ON_ERROR_STOP=1', ...where, '-f', file], {
      env,
    });
    const copy = openDatabase(placeOf(server, name));
    try {
      expect(await copy.shape()).toEqual(await scene.database.shape());
      expect(await copy.migrate()).toEqual([]);
      for (const { name: table, primaryKey } of (await copy.shape()).tables) {
        // addresses sort in two ways
        const of = async (database: typeof copy) =>
          (
            await sql`select * from ${sql.table(table)} order by ${sql.join(primaryKey.map((key) => sql`cast(${sql.ref(key)} as text)`))}`.execute(
              database.queries,
            )
          ).rows;
        expect([table, await of(copy)]).toEqual([table, await of(scene.database)]);
      }
      const added = await copy.queries
        .insertInto('audit_log')
        .values({ at_ms: 3, actor: 'a', action: 'b', subject: null, address: null, details: '{}' })
        .returning('id')
        .executeTakeFirstOrThrow();
      expect(added.id).toBe(3);
    } finally {
      await copy.close();
    }
    const linked = join(scene.folder, 'linked.sql');
    symlinkSync(scene.write('elsewhere/state.sql', 'old'), linked);
    expect(scene.run('backup', 'export', '--pg-dump', linked)).toMatchObject({ status: 0 });
    expect(lstatSync(linked).isSymbolicLink()).toBe(true);
    expect(textOf(scene.folder, 'elsewhere/state.sql')).toBe(textOf(file));
    const piped = scene.run('backup', 'export', '--pg-dump', '-');
    expect(piped.stdout).toBe(textOf(file));
  });
});

describe('"backup create"', () => {
  let scene: BackupScene;
  beforeEach(async () => {
    scene = await makeBackupScene();
  });
  afterEach(() => scene.remove());
  const addEvents = async (many: number) => {
    for (let at = 0; at < many; at += 1000)
      await sql`insert into audit_log (at_ms, actor, action, details)
        select abs(random()), hex(randomblob(200)), hex(randomblob(200)), '{}' from (with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000) select i from n)`.execute(
        scene.database.queries,
      );
  };

  it.each([
    ['after two lines', 5_000, 'head -2'],
    ['before the first', 0, 'true'],
  ])('has an export that ends quietly, with 1, when its reader goes %s', async (_, events, reader) => {
    await addEvents(events);
    const [program, ...leading] = applianceCommand();
    const command = `"$@" backup export --pg-dump - | ${reader} >/dev/null; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', command, 'bash', program, ...leading], {
      encoding: 'utf8',
      cwd: scene.folder,
      env: { PATH: process.env['PATH'], APP_DATA_DIR: scene.dataDir, APP_SECRETS_DIR: scene.secretsDir },
    });
    expect([stdout, stderr]).toEqual(['1\n', '']);
  });

  it('that is killed leaves nothing that looks like an archive, and the next cleans up', async () => {
    await addEvents(40_000);
    const child = scene.start('backup', 'create');
    const unfinished = () =>
      existsSync(scene.backups)
        ? readdirSync(scene.backups).filter((name) => name.endsWith('.unfinished'))
        : [];
    await until('it to write', () => unfinished().length > 0);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(unfinished()).toHaveLength(1);
    expect(scene.archives()).toEqual([]);
    expect(scene.run('backup', 'create')).toMatchObject({ status: 0 });
    expect(unfinished()).toEqual([]);
    expect(scene.archives()).toHaveLength(1);
  });

  it('that is interrupted says so and leaves nothing', async () => {
    await addEvents(40_000);
    const child = scene.start('backup', 'create');
    await until(
      'it to write',
      () =>
        existsSync(scene.backups) && readdirSync(scene.backups).some((name) => name.endsWith('.unfinished')),
    );
    child.kill('SIGTERM');
    const [status] = (await once(child, 'exit')) as [number];
    expect(status).toBe(1);
    expect(readdirSync(scene.backups).filter((name) => name.startsWith('appliance-'))).toEqual([]);
  });

  it('of nothing is refused: it would pass for a backup', () => {
    const made = scene.run('backup', 'create', '--data-dir', join(scene.folder, 'elsewhere'));
    expect([made.status, made.stdout]).toEqual([1, '']);
    expect(made.stderr).toMatch(/error: there is nothing to back up.*\nto do: Is APP_DATA_DIR/);
    expect(readdirSync(join(scene.folder, 'elsewhere/backups')).filter((name) => /zst/.test(name))).toEqual(
      [],
    );
  });

  it('gives up with exit code 5 where another is at it', async () => {
    mkdirSync(scene.backups, { mode: 0o700 });
    const lock = await takeLock({
      path: join(scene.backups, '.lock'),
      subject: 'the backups',
      holder: 'a test',
    });
    const made = scene.run('backup', 'create');
    await lock.release();
    expect(made).toMatchObject({ status: 5, stderr: expect.stringContaining('locked by a test') as string });
  });

  it.each([
    [0o644, 'may be read or changed by others'],
    [0o600, 'holds fewer than 8 characters'],
  ])('refuses a passphrase file (mode %o) that %s', (mode, words) => {
    const file = scene.write('bad', mode === 0o644 ? passphrase : 'short');
    chmodSync(file, mode);
    const made = scene.run('backup', 'create', '--passphrase-file', file);
    expect(made).toMatchObject({ status: 2, stderr: expect.stringContaining(words) as string });
    expect(existsSync(scene.backups)).toBe(false);
  });

  it('copies it by BACKUP_COPY_COMMAND, and where that fails keeps it and exits with 3', () => {
    const app = (line: string) =>
      writeFileSync(
        join(scene.secretsDir, 'app.env'),
        `${line}\nAPP_ALERT_COMMAND='env > ${scene.folder}/alert'\n`,
      );
    const elsewhere = join(scene.folder, 'elsewhere');
    app(`BACKUP_COPY_COMMAND='env > ${scene.folder}/environment; cp "$BACKUP_FILE" ${elsewhere}'`);
    expect(scene.run('backup', 'create')).toMatchObject({ status: 0 });
    expect(readFileSync(elsewhere)).toEqual(readFileSync(newest(scene)));
    const names = textOf(scene.folder, 'environment')
      .split('\n')
      .map((line) => line.split('=')[0])
      .filter((name) => name !== '');
    expect(names).toEqual(expect.arrayContaining(['BACKUP_FILE', 'HOME', 'PATH']));
    expect(
      names.filter((name) => !['BACKUP_FILE', 'HOME', 'PATH', 'PWD', 'SHLVL', '_', 'OLDPWD'].includes(name!)),
    ).toEqual([]);
    app('BACKUP_COPY_COMMAND="exit 4 # s3cret"');
    const failed = scene.run('backup', 'create', '--alert', '--json');
    expect(failed).toMatchObject({
      status: 3,
      stderr: expect.stringContaining('ended with status 4') as string,
    });
    expect(failed.stderr + failed.stdout).not.toContain('s3cret');
    expect(scene.archives()).toHaveLength(2);
    expect(textOf(scene.folder, 'alert')).toContain('ALERT_KIND=backup-copy-failed');
    const { backups } = JSON.parse(scene.run('backup', 'list', '--json').stdout) as { backups: object[] };
    expect(backups).toMatchObject([
      { copyFailure: expect.stringContaining('status 4') as string },
      { copiedAt: expect.any(String) as string },
    ]);
  });

  it('names a folder that cannot be written, and tells APP_ALERT_COMMAND where it should', () => {
    writeFileSync(scene.backups, 'a file');
    writeFileSync(join(scene.secretsDir, 'app.env'), `APP_ALERT_COMMAND='env > ${scene.folder}/alert'\n`);
    const made = scene.run('backup', 'create', '--alert');
    expect(made).toMatchObject({ status: 1, stderr: expect.stringContaining(scene.backups) as string });
    expect(made.stderr).toContain('to do:');
    expect(textOf(scene.folder, 'alert')).toContain('ALERT_KIND=backup-failed');
  });

  it.each([
    [
      'a passphrase that is missing',
      'BACKUP_PASSPHRASE_FILE=/nonexistent/passphrase',
      ['backup', 'create'],
      'backup-failed',
    ],
    ['a configuration that is wrong', 'APP_HTTP_PORT=none', ['backup', 'create'], 'backup-failed'],
    ['a database of another host that is away', 'APP_HTTPS_PORT=8444', ['backup', 'create'], 'backup-failed'],
    ['an archive that is no proof', 'APP_HTTPS_PORT=8444', ['backup', 'verify', 'FILE'], 'backup-unproven'],
  ])(
    'run by root, tells of %s, by the user of the service and never as root',
    (name, line, command, kind) => {
      const alert = join(scene.folder, 'told');
      mkdirSync(alert, { mode: 0o777 });
      chmodSync(alert, 0o777);
      chmodSync(scene.folder, 0o755);
      execFileSync('chown', ['-R', '12345:12345', scene.dataDir]);
      const app = `${line}\nAPP_ALERT_COMMAND='env >${alert}/alert; id -ru >>${alert}/alert; id -u >>${alert}/alert'\n`;
      writeFileSync(join(scene.secretsDir, 'app.env'), app);
      if (name.includes('away'))
        writeFileSync(join(scene.secretsDir, 'postgres.env'), 'POSTGRES_HOST=127.0.0.1\nPOSTGRES_PORT=1\n');
      const bad = scene.write('bad.tar.zst', 'nothing');
      const ended = scene.run(...command.map((word) => (word === 'FILE' ? bad : word)), '--alert');
      expect(ended.status, ended.stderr).not.toBe(0);
      expect(textOf(alert, 'alert')).toContain(`ALERT_KIND=${kind}`);
      expect(textOf(alert, 'alert')).toMatch(/\n12345\n12345\n$/);
    },
  );

  it.each([
    ['half an hour', 1_800_000],
    ['thirty years', 1e12],
  ])('keeps what it has just made where another is dated ahead of the clock by %s', (_, aheadMs) => {
    writeFileSync(
      join(scene.secretsDir, 'app.env'),
      `BACKUP_KEEP=1\nBACKUP_COPY_COMMAND='test -f "$BACKUP_FILE"'\n`,
    );
    const ahead = { createdMs: Date.now() + aheadMs, encrypted: false, beforeRestore: false };
    scene.write(`data/backups/${archiveName(ahead)}`, '');
    const made = scene.run('backup', 'create', '--json');
    expect(made.status, made.stderr).toBe(0);
    const { backup } = JSON.parse(made.stdout) as { backup: { file: string } };
    expect(existsSync(backup.file)).toBe(true);
  });

  it('leaves out files with names that no archive may have, tells each, and can be read', () => {
    for (const name of ['a\\b', 'x\u200Dy', Buffer.from('z\xFC', 'latin1')])
      writeFileSync(Buffer.concat([Buffer.from(`${scene.secretsDir}/`), Buffer.from(name)]), '');
    const passphraseOf = ['--passphrase-file', scene.passphraseFile];
    const made = scene.run('backup', 'create', ...passphraseOf);
    expect(made.status).toBe(0);
    expect(made.stderr.match(/is not in the archive: .*/g)).toEqual([
      'is not in the archive: has a backslash in its name',
      'is not in the archive: has control characters in its name',
      'is not in the archive: has a name that is no text',
    ]);
    expect(scene.run('backup', 'verify', ...passphraseOf)).toMatchObject({ status: 0 });
  });

  it('names a full disk and leaves nothing there', async () => {
    await addEvents(20_000);
    mkdirSync(scene.backups, { mode: 0o700 });
    const [file, ...leading] = applianceCommand();
    const script = `mount -t tmpfs -o size=3m,mode=0700 none "$1"; shift; "$@"; status=$?; ls ${scene.backups}; exit $status`;
    const made = spawnSync(
      'unshare',
      ['-m', 'sh', '-c', script, 'sh', scene.backups, file, ...leading, 'backup', 'create'],
      {
        encoding: 'utf8',
        env: { ...process.env, APP_DATA_DIR: scene.dataDir, APP_SECRETS_DIR: scene.secretsDir },
      },
    );
    expect(made).toMatchObject({ status: 1, stderr: expect.stringMatching(/no space left/) as string });
    expect(made.stdout).not.toContain('appliance-');
  });

  it('as root is done as the owner of the data folder', () => {
    execFileSync('chown', ['-R', '65534:65534', scene.dataDir]);
    chmodSync(scene.folder, 0o755);
    expect(scene.run('backup', 'create', '--passphrase-file', scene.passphraseFile)).toMatchObject({
      status: 0,
    });
    const found = [scene.backups, newest(scene), join(scene.dataDir, 'state.sqlite')].map(
      (path) => statSync(path).uid,
    );
    expect(found).toEqual([65534, 65534, 65534]);
  });
});

describe('"backup create" of a server that goes away', () => {
  it('says so and leaves nothing', async () => {
    const own = await startPostgres('embedded');
    const scene = await makeBackupScene(placeOf(own, await own.createDatabase('away')));
    try {
      await sql`insert into audit_log (at_ms, actor, action, details) select i, repeat(md5(i::text), 20), 'x', '{}' from generate_series(1, 100000) i`.execute(
        scene.database.queries,
      );
      const child = scene.start('backup', 'create');
      await until(
        'it to write',
        () =>
          existsSync(scene.backups) &&
          readdirSync(scene.backups).some((name) => name.endsWith('.unfinished')),
      );
      const exited = once(child, 'exit') as Promise<[number]>;
      await own.stop('immediate');
      const [status] = await exited;
      expect(status).toBe(1);
      expect(readdirSync(scene.backups).filter((name) => name.startsWith('appliance-'))).toEqual([]);
      const again = scene.run('backup', 'create');
      expect(again).toMatchObject({ status: 1, stderr: expect.stringContaining('PostgreSQL at') as string });
      expect(scene.archives()).toEqual([]);
      const dump = scene.write('dump.sql', 'a good one');
      expect(scene.run('backup', 'export', '--pg-dump', dump).status).toBe(1);
      expect([textOf(dump), existsSync(`${dump}.unfinished`)]).toEqual(['a good one', false]);
    } finally {
      await scene.remove();
      await own.remove();
    }
  });
});
