import type { BackupSchedule } from '../backup/schedule.ts';
import type { CertificateService } from '../certificates/certificate-service.ts';
import type { Config } from '../config/schema.ts';
import { exitCodes, Failure } from '../core/errors.ts';
import type { DiskWatch } from '../host/disk-watch.ts';
import type { Logger } from '../ports/logger.ts';
import { orWithout } from './or-without.ts';

export interface MaintenanceParts {
  readonly log: Logger;
  /** One that was not started yet. */
  createCertificates(config: Config): Promise<CertificateService>;
}

/** Certificates, backups by themselves and the look at the disk: beside the answers, and done by one process of a host alone. */
export interface Maintenance {
  /** Undefined where no certificate is wanted. Kept when stopped: it still tells how they are. */
  readonly certificates: CertificateService | undefined;
  /** Those of the next start, for whoever serves with them before it may look after them. */
  prepareCertificates(config: Config): Promise<CertificateService>;
  /** Starts what that configuration wants. Without what fails the rest goes on. */
  start(config: Config, signal: AbortSignal): Promise<void>;
  /** Resolves when nothing is under way any more. */
  stop(): Promise<void>;
}

export function createMaintenance({ log, createCertificates }: MaintenanceParts): Maintenance {
  let certificates: CertificateService | undefined;
  let prepared: CertificateService | undefined;
  let schedule: BackupSchedule | undefined;
  let diskWatch: DiskWatch | undefined;

  const prepareCertificates = async (config: Config): Promise<CertificateService> =>
    (certificates = prepared = await createCertificates(config));
  const startCertificates = async (config: Config): Promise<void> => {
    const next = prepared ?? (await prepareCertificates(config));
    prepared = undefined;
    await next.start();
  };
  // workers and most commands live without the code of these, and in less memory
  const startSchedule = async (config: Config): Promise<void> => {
    const { startBackupSchedule } = await import('./backup-schedule.ts');
    schedule = await startBackupSchedule(config, log);
  };
  const startDiskWatch = async (config: Config): Promise<void> => {
    const { watchDataDisk } = await import('./disk-watch.ts');
    diskWatch = watchDataDisk(config, log);
  };

  return {
    get certificates() {
      return certificates;
    },
    prepareCertificates,
    async start(config, signal) {
      await orWithout(log, () => startSchedule(config), 'no backups are made by themselves');
      await orWithout(log, () => startDiskWatch(config), 'nobody looks at how full the disk is');
      if (config.certificates === undefined) certificates = undefined;
      else if (!signal.aborted)
        await orWithout(log, () => startCertificates(config), 'certificates are not looked after');
    },
    async stop() {
      const before = { schedule, diskWatch };
      schedule = diskWatch = undefined;
      await Promise.all([certificates?.stop(), before.schedule?.stop(), before.diskWatch?.stop()]);
    },
  };
}

/** Throws `no-domain` where none is wanted. */
export function wantedCertificates({ certificates }: Maintenance): CertificateService {
  if (certificates !== undefined) return certificates;
  throw new Failure('there is no certificate to renew: CERT_DOMAIN is not set', {
    code: 'no-domain',
    exitCode: exitCodes.usage,
    remedy: 'set CERT_DOMAIN and CERT_EMAIL in acme.env, then reload the service',
  });
}
