import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { assignment } from '../../src/core/assignment.ts';
import type { Database } from '../../src/ports/database.ts';
import { applianceCommand } from './appliance.ts';
import { type DatabasePlace, openDatabase } from './open-database.ts';

export const oddName = `O'Neill "the\nsecond" \\N \\. 😀 \t`;
export const passphrase = 'correct horse "battery" staple';

/** A host with state, certificates and a secrets folder, whose backups the real command makes. */
export interface BackupScene {
  readonly folder: string;
  readonly dataDir: string;
  readonly secretsDir: string;
  readonly backups: string;
  readonly passphraseFile: string;
  /** Everything in its files that nobody but the owner may know. */
  readonly secrets: readonly string[];
  readonly database: Database;
  run(...command: readonly string[]): { status: number | null; stdout: string; stderr: string };
  start(...command: readonly string[]): ReturnType<typeof spawn>;
  /** Names in the folder of backups that an owner would take for archives. */
  archives(): string[];
  write(path: string, text: string, mode?: number): string;
  remove(): Promise<void>;
}

/** `place` is an empty database; undefined for the embedded one. */
export async function makeBackupScene(place?: DatabasePlace & { kind: 'postgres' }): Promise<BackupScene> {
  const folder = mkdtempSync(join(tmpdir(), 'backup-'));
  const dataDir = join(folder, 'data');
  const secretsDir = join(folder, 'secrets');
  const backups = join(dataDir, 'backups');
  const write = (path: string, text: string, mode = 0o600): string => {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, text, { mode });
    return file;
  };
  const environment = {
    PATH: process.env['PATH'],
    HOME: folder,
    APP_DATA_DIR: dataDir,
    APP_SECRETS_DIR: secretsDir,
  };
  const secrets = [
    'old-secret-in-a-comment',
    'https://hooks.example/T0PS3CR3T',
    'geoip_licence_key',
    'mistyped-s3cret',
  ];
  write('secrets/app.env', `# was: ${secrets[0]}\nBACKUP_KEEP=3\nAPP_ALERT_COMMAND='curl ${secrets[1]}'\n`);
  write('secrets/geoip.key', `123456:${secrets[2]}\n`);
  write('secrets/notes', `the password is ${secrets[3]}\n`);
  if (place !== undefined) {
    const { host, port, user, password = '', database } = place;
    secrets.push(password);
    const lines = [
      ['POSTGRES_HOST', host],
      ['POSTGRES_PORT', String(port)],
      ['POSTGRES_DB', database],
      ['POSTGRES_USER', user],
      ['POSTGRES_PASSWORD', password],
      ['POSTGRES_SSLMODE', 'disable'],
    ] as const;
    write('secrets/postgres.env', lines.map(([key, value]) => `${assignment(key, value)}\n`).join(''));
  }
  const store = 'data/certificates/acme.example-dir';
  for (const [path, text] of [
    ['whoami.example.com/key.pem', 'PRIVATE-KEY-OF-THE-PAIR'],
    ['whoami.example.com/order.json', '{"key":"PRIVATE-KEY-OF-AN-ORDER"}'],
    ['account.key', 'PRIVATE-KEY-OF-THE-ACCOUNT'],
  ] as const) {
    write(`${store}/${path}`, text);
    secrets.push(/PRIVATE-KEY[A-Z-]*/.exec(text)![0]);
  }
  write(`${store}/whoami.example.com/certificate.pem`, 'the chain', 0o644);
  write(`${store}/whoami.example.com/certificate.json`, '{}', 0o644);
  write(`${store}/.account.json.0123456789ab.tmp`, 'cut off');
  write('data/certificates/stand-in/key.pem', 'PRIVATE-KEY-OF-THE-STAND-IN');
  secrets.push('PRIVATE-KEY-OF-THE-STAND-IN');
  const passphraseFile = write('passphrase', `${passphrase}\n`);
  const file = join(dataDir, 'state.sqlite');
  const database = openDatabase(place ?? { kind: 'sqlite', file });
  await database.migrate();
  await fill(database);

  const [program, ...leading] = applianceCommand();
  return {
    folder,
    dataDir,
    secretsDir,
    backups,
    passphraseFile,
    secrets,
    database,
    run(...command) {
      const options = { cwd: folder, env: environment, encoding: 'utf8' } as const;
      const { status, stdout, stderr } = spawnSync(program, [...leading, ...command], options);
      return { status, stdout, stderr };
    },
    start: (...command) =>
      spawn(program, [...leading, ...command], { cwd: folder, env: environment, stdio: 'ignore' }),
    archives: () => readdirSync(backups).filter((name) => /\.tar\.zst(\.age)?$/.test(name)),
    write,
    async remove() {
      await database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A row or two in every table, with what is hard to keep. */
async function fill({ queries }: Database): Promise<void> {
  const json = '{"z":1,"a":[null,"\\u0000 line\\n"],\n "big":12345678901234567890}';
  await queries
    .insertInto('users')
    .values([
      {
        name: oddName,
        password_hash: '$argon2id$…',
        role: 'admin',
        created_ms: 1,
        last_sign_in_ms: null,
        disabled: false,
        session_stamp: oddName,
      },
      {
        name: '',
        password_hash: '-',
        role: 'viewer',
        created_ms: -1,
        last_sign_in_ms: 2,
        disabled: true,
        session_stamp: '',
      },
    ])
    .execute();
  const [user] = await queries.selectFrom('users').select('id').execute();
  await queries
    .insertInto('sessions')
    .values({
      token_hash: new Uint8Array([0, 255, 10]),
      user_id: user!.id,
      created_ms: 1,
      last_used_ms: 1,
      expires_ms: 9,
      data: '{}',
    })
    .execute();
  await queries
    .insertInto('audit_log')
    .values([
      { at_ms: 1, actor: oddName, action: 'sign-in', subject: null, address: '2001:db8::1', details: json },
      { at_ms: 2, actor: 'x', action: 'y', subject: '\\N', address: null, details: 'null' },
    ])
    .execute();
  await queries
    .insertInto('settings')
    .values({ key: oddName, value: json, changed_ms: 1, changed_by: 'a' })
    .execute();
  await queries
    .insertInto('geoip_editions')
    .values({
      edition: 'GeoLite2-City',
      built_ms: 1,
      fetched_ms: 2,
      source: 'https://example.com/?a=b\\c',
      size_bytes: 2 ** 40,
      sha256: new Uint8Array(32).fill(7),
    })
    .execute();
  await queries
    .insertInto('kept_addresses')
    .values(
      ['192.0.2.1', '::1', '10.0.0.9'].map((address) => ({ day_ms: 0, address, visits: 1, last_seen_ms: 1 })),
    )
    .execute();
}

/** Everything in an archive that is not encrypted, by the name in the tar; read by zstd and tar. */
export function unpack(archive: string, into: string): void {
  mkdirSync(into, { recursive: true });
  execFileSync('sh', ['-euc', 'zstd -qdc "$1" | tar -x -C "$2"', 'sh', archive, into]);
}
