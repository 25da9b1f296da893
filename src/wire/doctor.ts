import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createNameResolver } from '../adapters/name-resolver-dns.ts';
import { calendarTimes } from '../core/calendar-times.ts';
import type { CertificateStatus } from '../certificates/certificate-service.ts';
import { configOf, type Loaded } from '../config/load.ts';
import { ourNames } from '../config/our-names.ts';
import { formatProblem } from '../config/problem.ts';
import type { Config } from '../config/schema.ts';
import { Failure } from '../core/errors.ts';
import { remembered } from '../core/remembered.ts';
import { readContainers } from '../host/checks/container-facts.ts';
import { doctorChecks } from '../host/checks/doctor.ts';
import type { BackupFacts, CacheFacts, DoctorContext } from '../host/checks/doctor-context.ts';
import { type Host, thisHost } from '../host/checks/host.ts';
import { type CheckResult, selectChecks, type Selection } from '../host/checks/run-checks.ts';
import { runDoctor } from '../host/checks/run-doctor.ts';
import { readUnits } from '../host/checks/unit-facts.ts';
import { installedReleases } from '../host/install/releases.ts';
import { serviceUnit, stackUnit, unitFiles, unitsFolder } from '../host/install/units.ts';
import { nativeFileName } from '../http/native-file.ts';
import { nativeSha256, oldestGlibc } from '../http/native-hash.ts';
import { connectToService } from '../supervisor/control-client.ts';
import { lastUpgradeOf } from '../supervisor/last-upgrade.ts';
import { expectReadable, mayRead } from './readable-configuration.ts';
import { hasContainers } from './status.ts';

/** The checks of this host, for the commands. */
export const doctor = {
  /** Throws a UsageError for a name that no check has. */
  async run(loaded: Loaded, selection: Selection): Promise<readonly CheckResult[]> {
    const checks = selectChecks(doctorChecks, selection);
    return runDoctor(checks, await doctorContext(loaded, thisHost()));
  },
};

/** What the checks know, from the configuration as far as that is good; the ports from the service, where one runs. */
async function doctorContext(loaded: Loaded, host: Host): Promise<DoctorContext> {
  const found = Object.fromEntries(
    loaded.values.map(({ field, value }) => [field, value]),
  ) as Partial<Config>;
  const installed = existsSync(join(unitsFolder, serviceUnit)) || existsSync(installedReleases.folder);
  /** Defaults that hang on what could not be read are no answer. */
  const isGuess = (field: string, unread: boolean) =>
    installed && unread && loaded.values.find((value) => value.field === field)?.origin.kind === 'default';
  const isGone = loaded.secretsDir === undefined;
  const { dataDir = '/var/lib/appliance', runDir = '/run/appliance' } = {
    ...found,
    ...(isGuess('dataDir', isGone) ? { dataDir: undefined } : {}),
    ...(isGuess('runDir', isGone) ? { runDir: undefined } : {}),
  };
  const service = remembered(() => connectToService<CertificateStatus, never>(runDir).status());
  const running = await service().catch(() => undefined);
  const portOf = (field: 'httpPort' | 'httpsPort', usual: number): number => {
    if (running?.[field] !== undefined) return running[field];
    // whoever may not read it has those that an install writes looked at
    if (isGuess(field, isGone || loaded.problems.length > 0)) return usual;
    return values()[field] ?? usual;
  };
  /** Defaults are no answer to whoever may not read what counts. */
  const values = (): Partial<Config> => {
    expectReadable(loaded);
    return found;
  };
  const context: DoctorContext = {
    host,
    installed,
    get names() {
      return ourNames(values());
    },
    get httpPort() {
      return portOf('httpPort', 80);
    },
    get httpsPort() {
      return portOf('httpsPort', 443);
    },
    get containers() {
      // whoever may not read the configuration sees what was installed by it
      if (installed && !mayRead(loaded)) return existsSync(join(unitsFolder, stackUnit));
      return values() === found && hasContainers(loaded);
    },
    dataFolder: dataDir,
    get dnsHook() {
      return values().certDnsHook !== undefined;
    },
    runFolder: runDir,
    oldestGlibc,
    resolver: createNameResolver(),
    configuration: {
      secretsFolder: loaded.secretsDir,
      problems: loaded.problems.map(formatProblem),
      warnings: loaded.warnings.map(formatProblem),
      get values() {
        return values();
      },
    },
    service,
    units: remembered(() => readUnits(host)),
    get unitFiles() {
      return unitFiles({ containers: context.containers, backupSchedule: values().backupSchedule });
    },
    ownContainers: remembered(() => readContainers(host)),
    askDatabase: remembered(() => askDatabase(loaded)),
    askCache: remembered(() => askCache(loaded)),
    lastUpgrade: remembered(() => lastUpgradeOf(dataDir, true)),
    geoip: remembered(() => readEditions(`${dataDir}/geoip`)),
    backups: remembered(() => readBackups(`${dataDir}/backups`)),
    async checkPassphrase(file) {
      const { readPassphrase } = await import('../backup/passphrase.ts');
      await readPassphrase(file);
    },
    backupDueMs: (now) => dueMs(values().backupSchedule, now),
    nativeFile: { name: nativeFileName, sha256: nativeSha256 },
  };
  return context;
}

/** The embedded database is not asked: whoever opens it may leave files that the service cannot write. */
async function askDatabase(loaded: Loaded): Promise<Failure | undefined> {
  const config = configOf(loaded);
  if (config.postgresHost === undefined) return undefined;
  const { openDatabase } = await import('./state.ts');
  const database = await openDatabase(config);
  try {
    return (await database.probe()).failure;
  } finally {
    await database.close();
  }
}

async function askCache(loaded: Loaded): Promise<CacheFacts> {
  const config = configOf(loaded);
  const { redisHosts: hosts, redisConnectionType: connectionType, redisPort: port } = config;
  if (hosts === undefined) return {};
  const { askRedisPolicy } = await import('../adapters/redis-question.ts');
  const { authoritiesOf } = await import('./state.ts');
  const { redisDatabase: database, redisPassword: password } = config;
  try {
    const server = { connectionType, hosts, port, database, password, ...authoritiesOf(config) };
    return { policy: await askRedisPolicy(server) };
  } catch (error) {
    if (error instanceof Failure) return { failure: error };
    throw error;
  }
}

async function readEditions(folder: string) {
  const { openGeoDatabase } = await import('../adapters/geo-database-maxmind.ts');
  return openGeoDatabase(folder).editions.map(({ type, builtAt, source }) => ({
    type,
    builtMs: builtAt.getTime(),
    source,
  }));
}

async function readBackups(folder: string): Promise<BackupFacts> {
  const { listBackups } = await import('../backup/list.ts');
  const { isAhead } = await import('../backup/archive-name.ts');
  const { readRecord } = await import('../backup/record.ts');
  const { readRestoreJournal } = await import('../backup/restore-journal.ts');
  const now = Date.now();
  const found = (await listBackups(folder, now)).filter(({ beforeRestore }) => !beforeRestore);
  const archives = found.filter(({ createdMs }) => !isAhead(createdMs, now));
  const ahead = found.find(({ createdMs }) => isAhead(createdMs, now))?.name;
  const { lastFailure } = await readRecord(folder);
  return { archives, ahead, lastFailure, unfinishedRestore: (await readRestoreJournal(folder))?.archive };
}

/** The last time but one: a backup takes a while, and one that was missed is made up for. */
function dueMs(schedule: string | undefined, now: number): number | undefined {
  if (schedule === undefined) return undefined;
  const times = calendarTimes(schedule);
  const last = times.previous(now);
  return last === undefined ? undefined : times.previous(last - 1);
}
