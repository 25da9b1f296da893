import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { CertificateStatus, RenewOutcome } from '../certificates/certificate-service.ts';
import { planSettings } from '../config/install-settings.ts';
import { certifiedNames } from '../config/our-names.ts';
import { installedSecretsFolder } from '../config/paths.ts';
import type { Config } from '../config/schema.ts';
import { planSecrets } from '../config/secrets-plan.ts';
import { readAsset } from '../core/assets.ts';
import { exitCodes, Failure } from '../core/errors.ts';
import { version } from '../core/version.ts';
import { ownAddresses } from '../host/install/own-addresses.ts';
import { pendingStart } from '../host/install/pending.ts';
import type { Step } from '../host/install/plan.ts';
import { installedReleases, recordName, releaseBinary } from '../host/install/releases.ts';
import { certificateStep } from '../host/install/steps/certificate.ts';
import { configurationStep, secretsStep } from '../host/install/steps/configuration.ts';
import { containersStep } from '../host/install/steps/containers.ts';
import { dockerStep, lackingPackages } from '../host/install/steps/docker.ts';
import { imagesIn, imagesStep } from '../host/install/steps/images.ts';
import { kernelStep } from '../host/install/steps/kernel.ts';
import { proofStep } from '../host/install/steps/proof.ts';
import { releaseStep } from '../host/install/steps/release.ts';
import { serviceStep } from '../host/install/steps/service.ts';
import { shellsStep } from '../host/install/steps/shells.ts';
import { unitsStep } from '../host/install/steps/units.ts';
import { userStep } from '../host/install/steps/user.ts';
import { allUnits, backupTimer, serviceUnit, unitFiles, unitsFolder } from '../host/install/units.ts';
import { choicesFrom, readChoices } from '../host/stack/compose-files.ts';
import { findDocker, osRelease } from '../host/stack/docker.ts';
import { stackLayout } from '../host/stack/stack-layout.ts';
import { nativeFileName } from '../http/native-file.ts';
import { connectToService } from '../supervisor/control-client.ts';
import { stack } from './stack.ts';
import {
  anchorName,
  foundSecrets,
  type InstallRequest,
  installedConfig,
  ownServices,
  wishesOf,
  withdrawnLines,
} from './install-config.ts';

const record = join(installedReleases.folder, recordName);

/** What this host wants for that configuration, in the order in which it is done. Looks at nothing but the containers' choices. */
export async function stepsFor(
  request: InstallRequest,
  config: Config,
  containers: boolean,
): Promise<readonly Step[]> {
  const { environment, images, replaceEdited, anchor, shellFiles } = request;
  const layout = stackLayout({ installed: true, dataDir: config.dataDir });
  const pending = pendingStart();
  const certificateNames = certifiedNames(config);
  const binary = realpathSync(process.execPath);
  const service = connectToService<CertificateStatus, RenewOutcome>(config.runDir);
  const planned = planSecrets(foundSecrets(), layout, undefined);
  const services = containers ? ownServices(config, planned.values, layout) : [];
  const found = services.length === 0 || request.docker === 'not-needed' ? 'ready' : request.docker;
  const files = unitFiles({ containers: services.length > 0, backupSchedule: config.backupSchedule });
  const wanted = files.map(({ name }) => name);
  const choices = { ...(await readChoices(layout.composeFolder)), ...choicesFrom(environment) };
  return [
    ...(found === 'ready'
      ? []
      : [dockerStep(found, await lackingPackages(found, osRelease()), osRelease(), environment)]),
    ...(images === undefined || services.length === 0
      ? []
      : [
          imagesStep({
            file: images,
            needed: imagesIn(readAsset('compose/compose.yaml').toString('utf8'), services, choices),
            docker: () => findDocker(environment),
          }),
        ]),
    userStep(config.dataDir),
    releaseStep(
      installedReleases,
      { version, binary, native: { name: nativeFileName, content: () => readAsset('uws.bin') } },
      pending,
    ),
    configurationStep({
      folder: installedSecretsFolder,
      plan: () => planSettings(foundSecrets(), wishesOf(request)),
      anchor: anchor === undefined ? undefined : { name: anchorName, pem: anchor.pem },
      withdrawn: () => withdrawnLines(request),
      pending,
    }),
    ...(services.length === 0
      ? []
      : [secretsStep(installedSecretsFolder, () => planSecrets(foundSecrets(), layout, undefined), pending)]),
    kernelStep({ record, replaceEdited }),
    unitsStep({
      files,
      unwanted: allUnits.filter((name) => !wanted.includes(name)).map((name) => join(unitsFolder, name)),
      enabled: [serviceUnit, backupTimer].filter((name) => wanted.includes(name)),
      record,
      replaceEdited,
      pending,
    }),
    shellsStep({ files: shellFiles, record, replaceEdited }),
    ...(services.length === 0
      ? []
      : [
          containersStep({
            composeFolder: layout.composeFolder,
            replaceEdited,
            wanted: () => services,
            containers: () => stack.containers({ ...config, installed: true }, environment),
            up: async (progress) =>
              void (await stack.up(
                installedConfig(),
                environment,
                { front: false, timeoutMs: 300_000 },
                progress,
              )),
          }),
        ]),
    serviceStep({
      binary: releaseBinary(installedReleases, version),
      pending,
      async isServing() {
        const status = await service.status();
        return status.version === version && status.workers.length > 0;
      },
    }),
    ...(certificateNames.length === 0
      ? []
      : [
          certificateStep({
            names: certificateNames,
            since: performance.timeOrigin,
            known: () => knownCertificates(service),
            ask: (progress, signal) =>
              service.renewCerts({ force: false, domain: undefined, dryRun: false }, progress, signal),
          }),
        ]),
    proofStep({
      names: certificateNames,
      address: addressOf(config),
      httpPort: config.httpPort,
      httpsPort: config.httpsPort,
      anchor: anchorText(request, config),
    }),
  ];
}

/** Undefined where no service runs. */
async function knownCertificates(
  service: ReturnType<typeof connectToService<CertificateStatus, RenewOutcome>>,
): Promise<readonly CertificateStatus[] | undefined> {
  try {
    return (await service.status()).certificates;
  } catch (error) {
    if (error instanceof Failure && (error.exitCode === exitCodes.notRunning || error.retryable))
      return undefined;
    throw error;
  }
}

/** The private authority's certificate that the proof trusts besides the usual ones. */
function anchorText({ anchor }: InstallRequest, config: Config): string | undefined {
  if (anchor !== undefined) return anchor.pem;
  return config.certCaFile === undefined ? undefined : readFileSync(config.certCaFile, 'utf8');
}

/** One of this host's own, where all are listened on. */
function addressOf({ listenHost }: Config): string {
  if (listenHost !== '::' && listenHost !== '0.0.0.0') return listenHost;
  const addresses = ownAddresses();
  return [...addresses.public, ...addresses.private].find((each) => !each.includes(':')) ?? '127.0.0.1';
}
