import { once } from 'node:events';
import { open, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { createAlertCommand } from '../adapters/alert-command.ts';
import { createBackupCopyCommand } from '../adapters/backup-copy-command.ts';
import {
  actAsOwner,
  type AsRoot,
  becomeOwner,
  leaveRoot,
  makeDataFolder,
  ownerToBecome,
} from '../adapters/data-folder-owner.ts';
import type { FoundFiles, HostFile } from '../backup/host-files.ts';
import type { Backup } from '../backup/list.ts';
import type { BackupOutcome, BackupRequest } from '../backup/run.ts';
import { withoutSecrets } from '../config/redaction.ts';
import type { Config } from '../config/schema.ts';
import { systemClock } from '../core/clock.ts';
import { reasonOf } from '../core/errors.ts';
import { syncFolder } from '../core/atomic-file.ts';
import { writeFailure } from '../core/storage-failure.ts';
import { favourSmallMemory } from '../core/small-memory.ts';
import { version } from '../core/version.ts';
import { written } from '../core/written.ts';
import type { Alert } from '../ports/alerter.ts';
import type { BackupCopier } from '../ports/backup-copier.ts';
import { openDatabase } from './state.ts';

export const backupsFolder = ({ dataDir }: Pick<Config, 'dataDir'>): string => join(dataDir, 'backups');

/** Archives on this host, for the commands. */
export const backups = {
  /** As root, below the data folder as that folder's owner. */
  async create(config: Config, request: BackupRequest): Promise<BackupOutcome> {
    // most commands live without these libraries
    favourSmallMemory();
    const { noteFailure, runBackup } = await import('../backup/run.ts');
    const { certificateFiles } = await import('../backup/certificate-files.ts');
    const { copy, tell } = helpersOf(config, request);
    const { passphrase, configuration, database } = await prepared(config, request).catch(
      async (error: unknown) => {
        leaveRoot(config.dataDir);
        if (request.alert)
          await noteFailure({ folder: backupsFolder(config), clock: systemClock, alert: tell }, error);
        throw error;
      },
    );
    const encrypted = passphrase !== undefined;
    try {
      return await runBackup({
        database,
        folder: backupsFolder(config),
        passphrase,
        files: async () => joined(await certificateFiles(config.dataDir, encrypted), configuration),
        hostName: hostname(),
        release: version,
        clock: systemClock,
        holder: 'appliance backup create',
        keep: config.backupKeep,
        progress: request.progress,
        signal: request.signal,
        copy,
        alert: tell,
      });
    } finally {
      await database.close();
    }
  },
  /** For a run that has no configuration to begin with. Never rejects. */
  async tellUnfit(
    settings: AlertSettings,
    error: unknown,
    request: Pick<BackupRequest, 'warn' | 'signal'>,
  ): Promise<void> {
    const { alertOf } = await import('../backup/run.ts');
    await tellAsOwner(settings, alertOf('backup-failed', 'The backup failed', error), request);
  },
  async list(config: Config): Promise<readonly Backup[]> {
    const { listBackups } = await import('../backup/list.ts');
    return listBackups(backupsFolder(config), systemClock.now());
  },
  /** The file is root's where root asks for it, and 0600. Ends early where standard output is lost. */
  async exportPostgres(
    config: Config,
    file: string | undefined,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    favourSmallMemory();
    const { writePostgresDump } = await import('../backup/postgres-dump.ts');
    const { postgresStatements } = await import('../adapters/migrations/postgres-statements.ts');
    const target = await openTarget(file);
    const asRoot = actAs(config);
    const database = await openDatabase(config);
    try {
      const statementsOf = postgresStatements;
      const { write } = target;
      const rows = await writePostgresDump({ database, statementsOf, release: version, write, signal });
      await asRoot(target.finish);
      return target.isLost() ? undefined : rows;
    } catch (error) {
      await asRoot(target.abandon);
      if (target.isLost()) return undefined;
      throw error;
    } finally {
      await database.close();
    }
  },
};

/** What only root may read, before this process is root no longer; and then, as the owner of the data folder, the database. */
async function prepared(config: Config, request: BackupRequest) {
  const { readPassphrase } = await import('../backup/passphrase.ts');
  const file = request.passphraseFile ?? config.backupPassphraseFile;
  const passphrase = file === undefined || file === false ? undefined : await readPassphrase(file);
  const configuration = await configurationFiles(config, passphrase !== undefined);
  asOwner(config);
  return { passphrase, configuration, database: await openDatabase(config) };
}

export type AlertSettings = Pick<Config, 'dataDir' | 'alertCommand'>;

/** Runs APP_ALERT_COMMAND as the owner of the data folder, which this process is from then on. Never rejects. */
export async function tellAsOwner(
  { dataDir, alertCommand }: AlertSettings,
  alert: Alert,
  { warn, signal }: Pick<BackupRequest, 'warn' | 'signal'>,
): Promise<void> {
  if (alertCommand === undefined) return;
  try {
    leaveRoot(dataDir);
    await createAlertCommand(alertCommand)(alert, signal);
  } catch (error) {
    warn(reasonOf(error));
  }
}

/**
 * Standard output, or a file, which takes the place of what has its name when it is whole; passwords' hashes are in it, so it is its
 * owner's alone. Rejects with `store-unwritable`.
 */
async function openTarget(file: string | undefined) {
  if (file === undefined) {
    let lost = false;
    process.stdout.once('error', () => (lost = true));
    const write = async (text: string): Promise<void> => {
      // what is gone would never be ready for more
      if (lost) throw new Error('nobody reads standard output any longer');
      if (!process.stdout.write(text)) await once(process.stdout, 'drain');
    };
    const nothing = () => Promise.resolve();
    return { write, finish: () => written(process.stdout), abandon: nothing, isLost: () => lost };
  }
  const isLost = () => false;
  const fail = (error: unknown) => {
    throw writeFailure(file, error);
  };
  const { exportPlace } = await import('../backup/export-place.ts');
  const { path, isSpecial } = await exportPlace(file);
  if (isSpecial) {
    const special = await open(path, 'a').catch(fail);
    const close = () => special.close();
    return {
      write: (text: string) => special.writeFile(text).catch(fail),
      finish: close,
      abandon: close,
      isLost,
    };
  }
  const unfinished = `${path}.unfinished`;
  await rm(unfinished, { force: true }).catch(fail);
  const handle = await open(unfinished, 'wx', 0o600).catch(fail);
  return {
    write: (text: string) => handle.writeFile(text).catch(fail),
    async finish() {
      await handle
        .sync()
        .then(() => handle.close())
        .then(() => rename(unfinished, path))
        .then(() => syncFolder(dirname(path)))
        .catch(fail);
    },
    async abandon() {
      await handle.close().catch(() => undefined);
      await rm(unfinished, { force: true }).catch(() => undefined);
    },
    isLost,
  };
}

/** From here on this process acts as the owner of the data folder. */
export function actAs(config: Config): AsRoot {
  const owner = ownerToBecome(config.dataDir);
  const asRoot: AsRoot = owner === undefined ? (work) => work() : actAsOwner(owner);
  makeDataFolder(config.dataDir);
  return asRoot;
}

function asOwner(config: Config): void {
  const owner = ownerToBecome(config.dataDir);
  if (owner !== undefined) becomeOwner(owner);
  makeDataFolder(config.dataDir);
}

function helpersOf(config: Config, { alert, warn, signal, onCopy }: BackupRequest) {
  const { backupCopyCommand, alertCommand } = config;
  const tell = (text: Alert): Promise<void> =>
    tellAsOwner({ dataDir: config.dataDir, alertCommand }, text, { warn, signal });
  const copier = backupCopyCommand === undefined ? undefined : createBackupCopyCommand(backupCopyCommand);
  const copy: BackupCopier | undefined =
    copier &&
    ((file, stop) => {
      onCopy(file);
      return copier(file, stop);
    });
  return {
    copy,
    tell: alert ? tell : undefined,
  };
}

/** The files of the secrets folder, and in an encrypted archive what root's units alone read. */
export async function configurationFiles(
  { secretsDir, installed }: Config,
  encrypted: boolean,
): Promise<FoundFiles> {
  const { filesBelow } = await import('../backup/host-files.ts');
  const nothing: FoundFiles = { files: [], leftOut: [] };
  const found = secretsDir === undefined ? nothing : await filesBelow(secretsDir, 'configuration');
  if (!encrypted) return publicOf(secretsDir ?? '', found);
  return installed ? joined(found, await filesBelow(stackFolder, 'stack', isKeptOfStack)) : found;
}

const stackFolder = '/etc/appliance/stack';
/** "stack up" makes what each container reads, for its user, from the rest. */
export const isKeptOfStack = (path: string): boolean => !/^(postgres|redis)\//.test(path);

/** What anybody may read of them; the rest is told. */
function publicOf(folder: string, { files, leftOut }: FoundFiles): FoundFiles {
  const texts = new Map(files.map(({ path, content }) => [path, Buffer.from(content).toString()]));
  const left = withoutSecrets(texts);
  const kept = files.flatMap((file): HostFile[] => {
    const text = left.get(file.path);
    return text === undefined ? [] : [{ ...file, content: Buffer.from(text) }];
  });
  const gone = files.filter(({ path }) => !left.has(path));
  const reason = 'may hold secrets, and the archive is not encrypted';
  return {
    files: kept,
    leftOut: [...leftOut, ...gone.map(({ path }) => ({ path: join(folder, path), reason }))],
  };
}

export function joined(...all: readonly FoundFiles[]): FoundFiles {
  return { files: all.flatMap(({ files }) => files), leftOut: all.flatMap(({ leftOut }) => leftOut) };
}
