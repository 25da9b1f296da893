import { existsSync, statSync } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { AsRoot } from '../adapters/data-folder-owner.ts';
import type { ArchiveFile } from '../backup/archive-file.ts';
import type { ReadArchive } from '../backup/archive-reader.ts';
import type { ArchiveHead } from '../backup/format.ts';
import type { ProofProgress } from '../backup/proof.ts';
import type { RestoredBackup } from '../backup/restore.ts';
import type { FileTarget } from '../backup/restore-files.ts';
import type { VerifiedBackup } from '../backup/verify.ts';
import { installedSecretsFolder } from '../config/paths.ts';
import type { Config } from '../config/schema.ts';
import { files as secretsFiles } from '../config/setting.ts';
import { systemClock } from '../core/clock.ts';
import { syncFolder } from '../core/atomic-file.ts';
import { expectRoom } from '../core/disk-room.ts';
import { exitCodes, Failure, reasonOf } from '../core/errors.ts';
import { favourSmallMemory } from '../core/small-memory.ts';
import { version } from '../core/version.ts';
import { settleSecretsFolder } from '../host/stack/secrets-files.ts';
import { isUnsettled, settleServiceHome, settleServiceUser } from '../host/install/service-user.ts';
import { stackLayout } from '../host/stack/stack-layout.ts';
import { actAs, backupsFolder, configurationFiles, isKeptOfStack, joined, tellAsOwner } from './backup.ts';
import { stack } from './stack.ts';
import { openDatabase, openScratch, setAsideDamagedDatabase } from './state.ts';
import { systemUser } from './system-user.ts';

export interface ProofRequest {
  /** Undefined: the newest. */
  readonly file: string | undefined;
  /** Undefined: what the configuration says. */
  readonly passphraseFile: string | undefined;
  readonly progress: (progress: ProofProgress) => void;
  readonly signal: AbortSignal;
}

export interface VerifyRequest extends ProofRequest {
  /** Whether APP_ALERT_COMMAND is told of an archive that could not be proven. */
  readonly alert: boolean;
  readonly warn: (text: string) => void;
}

export interface RestoreRequest extends ProofRequest {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly step: (step: string) => void;
  /** Asked before anything changes, with the place whose rows are replaced. */
  readonly confirm: (read: ReadArchive, place: string) => Promise<boolean>;
}

/** How much of the disk a proof and a restore take, by the bytes of what is in the archive: rows, their indexes, the log. */
const roomForProof = 2;
const roomForRestore = 4;

/** Proving archives, and putting them in place, for the commands. */
export const restores = {
  /** As root, below the data folder as that folder's owner. */
  async verify(config: Config, request: VerifyRequest): Promise<VerifiedBackup> {
    return verify(config, request).catch(async (error: unknown) => {
      const { alertOf } = await import('../backup/run.ts');
      const alert = alertOf('backup-unproven', 'The backup could not be proven', error);
      if (request.alert && !request.signal.aborted) await tellAsOwner(config, alert, request);
      throw error;
    });
  },
  /**
   * `load` reads the configuration, and again once that of the archive is there. `stackChanged`: the containers may have other passwords
   * than the configuration still.
   */
  async restore(
    load: () => Config,
    request: RestoreRequest,
  ): Promise<(RestoredBackup & { readonly stackChanged: boolean }) | undefined> {
    let config = load();
    const by = systemUser(request.environment);
    const { archive, passphrase } = await open(config, request);
    try {
      const isNew = await writeMissingConfiguration(archive, config, request);
      if (isNew === false) return undefined;
      if (isNew === true) config = load();
      if (isInstalledHost(config)) await settleServiceHome(config.dataDir);
      await startOwnDatabase(config, request);
      const asRoot = actAs(config);
      const restored = await restore(archive, passphrase, config, asRoot, {
        ...request,
        by,
        confirm: isNew === true ? () => Promise.resolve(true) : request.confirm,
      });
      if (restored === undefined) return undefined;
      const stackChanged = restored.read.head.secrets && (isOwnDatabase(config) || isOwnCache(config));
      return { ...restored, stackChanged: stackChanged && !(await renewStack(load, request, asRoot)) };
    } finally {
      await archive.close();
    }
  },
};

async function verify(config: Config, request: ProofRequest): Promise<VerifiedBackup> {
  const { verifyBackup } = await import('../backup/verify.ts');
  const { archive } = await open(config, request);
  try {
    actAs(config);
    return await verifyBackup({
      archive,
      folder: backupsFolder(config),
      scratch: await openScratch(config),
      expectRoom: roomIn(config, roomForProof),
      progress: request.progress,
      signal: request.signal,
      clock: systemClock,
    });
  } finally {
    await archive.close();
  }
}

/** The archive, and the passphrase where there is one: while this process is root still. */
async function open(
  config: Config,
  { file, passphraseFile }: ProofRequest,
): Promise<{ readonly archive: ArchiveFile; readonly passphrase: string | undefined }> {
  const { openArchive } = await import('../backup/archive-file.ts');
  const { readPassphrase } = await import('../backup/passphrase.ts');
  favourSmallMemory();
  const path = file ?? (await newest(config));
  const named = passphraseFile ?? config.backupPassphraseFile;
  const passphrase =
    named === undefined
      ? undefined
      : await readPassphrase(named).catch((error: unknown) => {
          // what nobody asked for, and this archive does not need
          if (passphraseFile === undefined && !path.endsWith('.age')) return undefined;
          throw error;
        });
  return { archive: await openArchive(path, passphrase), passphrase };
}

async function newest(config: Config): Promise<string> {
  const { listBackups } = await import('../backup/list.ts');
  const { isAhead } = await import('../backup/archive-name.ts');
  const folder = backupsFolder(config);
  const now = systemClock.now();
  const all = (await listBackups(folder, now)).filter(({ beforeRestore }) => !beforeRestore);
  const ahead = all.find(({ createdMs }) => isAhead(createdMs, now));
  if (ahead !== undefined)
    throw new Failure(`nobody knows which backup is the newest: ${ahead.name} is dated ahead of the clock`, {
      code: 'backup-ahead',
      exitCode: exitCodes.usage,
      remedy: `Set the clock right (timedatectl), or name the archive: ls -l ${folder}`,
    });
  const [found] = all;
  if (found !== undefined) return found.file;
  throw new Failure(`there is no backup in ${folder}`, {
    code: 'backup-missing',
    exitCode: exitCodes.usage,
    remedy: 'Name an archive, or make one: appliance backup create',
  });
}

function roomIn(config: Config, times: number) {
  return ({ plainBytes }: ReadArchive) => {
    // how full the disk of a server is, only that server knows
    const need = config.postgresHost === undefined ? times * plainBytes : plainBytes;
    return expectRoom(config.dataDir, need, 'the proof');
  };
}

const place = (config: Config): string =>
  config.postgresHost === undefined
    ? join(config.dataDir, 'state.sqlite')
    : `PostgreSQL ${config.postgresHost.startsWith('/') ? 'in' : 'at'} ${config.postgresHost}, database ${config.postgresDatabase}`;

async function restore(
  archive: ArchiveFile,
  passphrase: string | undefined,
  config: Config,
  asRoot: AsRoot,
  request: RestoreRequest & { readonly by: string },
): Promise<RestoredBackup | undefined> {
  const { createAuditLog } = await import('../admin/audit-log.ts');
  const { createBackup } = await import('../backup/create.ts');
  const { certificateFiles } = await import('../backup/certificate-files.ts');
  const { restoreBackup } = await import('../backup/restore.ts');
  const { createCertificateStore } = await import('../adapters/certificate-store-files.ts');
  const { createLogger } = await import('../adapters/logger-pino.ts');
  const folder = backupsFolder(config);
  const certificates = join(config.dataDir, 'certificates');
  const holder = 'appliance backup restore';
  const store = createCertificateStore({ folder: certificates, log: createLogger('fatal'), holder });
  const real = await openDatabase(config);
  const encrypted = passphrase !== undefined;
  const filesNow = async () =>
    joined(
      await certificateFiles(config.dataDir, encrypted),
      await asRoot(() => configurationFiles(config, encrypted)),
    );
  try {
    return await restoreBackup({
      archive,
      folder,
      real,
      scratch: await openScratch(config),
      expectRoom: roomIn(config, roomForRestore),
      setAsideDamaged: async () => {
        const aside = await setAsideDamagedDatabase(config, systemClock.now());
        if (aside !== undefined)
          request.step(`the database is damaged: it is kept as ${aside}, and a new one is made`);
        return aside;
      },
      targets: (head) => targetsOf(config, head, asRoot),
      safetyCopy: async (signal, withoutRows) => {
        const made = await createBackup({
          database: real,
          folder,
          passphrase,
          files: filesNow,
          hostName: hostname(),
          release: version,
          clock: systemClock,
          beforeRestore: true,
          ...(withoutRows === undefined ? {} : { withoutRows }),
          signal,
        });
        return made.file;
      },
      note: ({ head: { createdMs, hostName } }) =>
        createAuditLog(real, systemClock).append({
          actor: { name: request.by },
          action: 'backup.restore',
          subject: basename(archive.path),
          details: { madeAt: new Date(createdMs).toISOString(), madeOn: hostName },
        }),
      confirm: (read) => request.confirm(read, place(config)),
      withCertificates: (work) => store.withLock(() => work()),
      step: request.step,
      progress: request.progress,
      signal: request.signal,
      clock: systemClock,
    });
  } finally {
    await real.close();
  }
}

const isOwnDatabase = (config: Config) => config.postgresHost === stackLayout(config).postgresHost;
const isOwnCache = (config: Config) => config.redisHosts?.join() === stackLayout(config).redisSocket;
const ofTheDatabase: readonly string[] = ['postgres.env'];
const ofTheCache: readonly string[] = ['redis.env', 'redis.password.conf'];

/** Without keys and secrets the rest of the files would put something broken in the place of what works. */
async function targetsOf(config: Config, head: ArchiveHead, asRoot: AsRoot): Promise<readonly FileTarget[]> {
  if (!head.secrets) return [];
  const certificates: FileTarget = {
    fileClass: 'certificates',
    folder: join(config.dataDir, 'certificates'),
    owner: undefined,
    mode: 0o755,
    folderMode: 0o700,
    wants: () => true,
    act: (work) => work(),
  };
  // where a server of elsewhere is met is this host's affair
  const wants = (path: string) =>
    (!ofTheDatabase.includes(path) || isOwnDatabase(config)) &&
    (!ofTheCache.includes(path) || isOwnCache(config));
  return [certificates, ...(await rootTargets(config, asRoot, wants))];
}

async function rootTargets(
  config: Config,
  asRoot: AsRoot,
  wants: (path: string) => boolean,
): Promise<readonly FileTarget[]> {
  const folder = config.secretsDir;
  if (folder === undefined) return [];
  const isRoot = process.getuid?.() === 0;
  const isForbidden = !isRoot && existsSync(folder) && statSync(folder).uid !== process.getuid?.();
  const owner = isForbidden ? undefined : await asRoot(() => settleSecretsFolder(folder, config.installed));
  const configuration: FileTarget = {
    fileClass: 'configuration',
    folder,
    owner: isRoot ? owner : undefined,
    mode: 0o640,
    folderMode: 0o750,
    wants,
    isForbidden,
    act: asRoot,
  };
  if (!config.installed) return [configuration];
  const ofRoot: FileTarget = {
    fileClass: 'stack',
    folder: '/etc/appliance/stack',
    owner: { uid: 0, gid: 0 },
    mode: 0o700,
    folderMode: 0o700,
    wants: isKeptOfStack,
    isForbidden: !isRoot,
    act: asRoot,
  };
  return [configuration, ofRoot];
}

/**
 * On a host without any configuration that of the archive comes first, since it says where the database is. True where the person
 * agreed to make this host anew, false where not; undefined where there is no need to ask yet.
 */
async function writeMissingConfiguration(
  archive: ArchiveFile,
  config: Config,
  { signal, confirm, step }: RestoreRequest,
): Promise<boolean | undefined> {
  const folder = config.secretsDir ?? (process.getuid?.() === 0 ? installedSecretsFolder : undefined);
  if (folder === undefined) return undefined;
  const before = existsSync(folder) ? await readdir(folder) : [];
  if (secretsFiles.some((name) => before.includes(name))) return undefined;
  const { readArchive } = await import('../backup/archive-reader.ts');
  const { stageFiles } = await import('../backup/restore-files.ts');
  const read = await readArchive(archive, {}, { signal });
  const has = read.manifest.entries.some(({ path }) => path.startsWith('files/configuration/'));
  if (!read.head.secrets || !has) return agreesToHost(read, config, { confirm, step });
  if (!(await confirm(read, `this host, and its configuration in ${folder}`))) return false;
  step(`writing the configuration to ${folder}`);
  const installed = folder === installedSecretsFolder;
  if (isInstalledHost({ installed })) await settleServiceUser();
  const asItIs: AsRoot = (work) => work();
  // all of it at once where that can be: a part of it would name another database
  const place = before.length === 0 ? `${folder}.restoring` : folder;
  if (place !== folder) await rm(place, { recursive: true, force: true });
  const targets = await rootTargets({ ...config, secretsDir: place, installed }, asItIs, () => true);
  const staged = await stageFiles(archive, read, targets, signal);
  await staged.swap();
  if (place !== folder) {
    await rename(place, folder);
    await syncFolder(dirname(folder));
  }
  return true;
}

/** Before the user of the service and its folder are made, where they are still to come. */
async function agreesToHost(
  read: ReadArchive,
  config: Config,
  { confirm, step }: Pick<RestoreRequest, 'confirm' | 'step'>,
): Promise<boolean | undefined> {
  if (!isInstalledHost(config) || !(await isUnsettled(config.dataDir))) return undefined;
  if (!(await confirm(read, `this host, in ${config.dataDir}`))) return false;
  step(`this host is not installed yet: the state goes to ${config.dataDir}, where an install finds it`);
  return true;
}

const isInstalledHost = ({ installed }: Pick<Config, 'installed'>): boolean =>
  installed && process.getuid?.() === 0;

/** Gives the servers in the containers the passwords of the archive. False where that was not to be done. */
async function renewStack(
  load: () => Config,
  { environment, step }: RestoreRequest,
  asRoot: AsRoot,
): Promise<boolean> {
  if (process.getuid?.() !== 0) return false;
  step('giving the servers in the containers the passwords of the archive');
  try {
    await asRoot(() => stack.up(load(), environment, stackOptions, step));
    return true;
  } catch (error) {
    step(reasonOf(error));
    return false;
  }
}

const stackOptions = { front: false, timeoutMs: 300_000 };

/** On a host that has just been made nobody started it yet. */
async function startOwnDatabase(config: Config, { environment, step }: RestoreRequest): Promise<void> {
  if (process.getuid?.() !== 0 || !isOwnDatabase(config)) return;
  const database = await openDatabase(config);
  const { status } = await database.probe();
  await database.close();
  if (status !== 'up') await stack.up(config, environment, stackOptions, step);
}
