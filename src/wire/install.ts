import { isSea } from 'node:sea';
import { createNameResolver } from '../adapters/name-resolver-dns.ts';
import { certifiedNames } from '../config/our-names.ts';
import { installedSecretsFolder } from '../config/paths.ts';
import { readAsset } from '../core/assets.ts';
import { exitCodes, Failure } from '../core/errors.ts';
import { version } from '../core/version.ts';
import type { HostContext } from '../host/checks/check.ts';
import { thisHost } from '../host/checks/host.ts';
import { preflightChecks } from '../host/checks/preflight.ts';
import { type CheckResult, runChecks, selectChecks } from '../host/checks/run-checks.ts';
import { type Applied, applyPlan, type Report } from '../host/install/apply.ts';
import { removeHalfWritten } from '../host/install/half-written.ts';
import { ownAddresses } from '../host/install/own-addresses.ts';
import { makePlan, type Plan } from '../host/install/plan.ts';
import { installedReleases, lockReleases, removeCutOff } from '../host/install/releases.ts';
import { unfinishedInstall } from '../host/install/unfinished.ts';
import { type DockerState, dockerState, lackingPackages } from '../host/install/steps/docker.ts';
import { imagesIn } from '../host/install/steps/images.ts';
import { choicesFrom, readChoices } from '../host/stack/compose-files.ts';
import { osRelease } from '../host/stack/docker.ts';
import { stackLayout } from '../host/stack/stack-layout.ts';
import { oldestGlibc } from '../http/native-hash.ts';
import {
  configNow,
  configToBe,
  containerChoice,
  type ContainerChoice,
  type InstallRequest,
} from './install-config.ts';
import { stepsFor } from './install-steps.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What is known of this host before anybody is asked. */
export interface InstallFacts {
  /** What the configuration has already. */
  readonly domain: string | undefined;
  readonly addresses: ReturnType<typeof ownAddresses>;
  readonly docker: DockerState | 'not-needed';
  /** Of the distribution, with Docker in them; undefined where it has none. */
  readonly dockerPackages: readonly string[] | undefined;
  readonly containers: ContainerChoice;
}

export interface PreparedInstall {
  readonly findings: readonly CheckResult[];
  readonly plan: Plan;
  readonly names: readonly string[];
  readonly httpsPort: number;
  readonly httpPort: number;
  readonly containers: boolean;
  readonly dataFolder: string;
  readonly version: string;
  apply(report: Report, signal: AbortSignal): Promise<Applied>;
}

/** Makes this host run the service, for the command. */
export const installer = {
  async facts(
    environment: Environment,
    { noContainers }: { readonly noContainers: boolean },
  ): Promise<InstallFacts> {
    const config = configNow();
    const containers = await containerChoice(config, noContainers);
    const docker = containers === 'containers' ? await dockerState(environment) : 'not-needed';
    return {
      domain: config.certificates?.map((names) => names.join(',')).join(';'),
      addresses: ownAddresses(),
      docker,
      dockerPackages: await lackingPackages(docker, osRelease()),
      containers,
    };
  },

  /**
   * Looks at everything and gives the plan. With `lock` nobody else installs until the work is done; a dry run leaves no
   * trace at all. Rejects with `locked` (exit code 5), `config-invalid`, and what the steps' looks reject with.
   */
  async withPlan<Result>(
    request: InstallRequest,
    lock: boolean,
    work: (prepared: PreparedInstall) => Promise<Result>,
  ): Promise<Result> {
    mustBePackaged();
    // what the programs make that a step starts: packages, systemd's links
    process.umask(0o022);
    const held = lock ? await lockReleases('appliance install') : undefined;
    try {
      if (lock) {
        await removeCutOff(installedReleases);
        await removeHalfWritten(
          installedSecretsFolder,
          stackLayout({ installed: true, dataDir: configNow().dataDir }),
        );
      }
      return await work(await prepare(request));
    } finally {
      await held?.release();
    }
  },
};

async function prepare(request: InstallRequest): Promise<PreparedInstall> {
  const config = configToBe(request);
  const choice = await containerChoice(configNow(), request.noContainers);
  const containers = choice === 'containers';
  const names = certifiedNames(config);
  const { composeFolder } = stackLayout({ installed: true, dataDir: config.dataDir });
  const choices = { ...(await readChoices(composeFolder)), ...choicesFrom(request.environment) };
  const checks = selectChecks(preflightChecks, { only: [], ignore: ['docker', 'compose'] });
  const context: HostContext = {
    host: thisHost(),
    names,
    httpPort: config.httpPort,
    httpsPort: config.httpsPort,
    containers,
    images: imagesIn(readAsset('compose/compose.yaml').toString('utf8'), ['postgres', 'redis'], choices),
    dataFolder: config.dataDir,
    dnsHook: config.certDnsHook !== undefined,
    oldestGlibc,
    resolver: createNameResolver(),
  };
  const planning = stepsFor(request, config, containers).then(makePlan);
  const [findings, planned] = await Promise.all([
    runChecks(checks, context),
    planning.then(
      (plan) => ({ plan }),
      (error: unknown) => ({ error }),
    ),
  ]);
  // a check says it better, and says all of it at once
  const isReady = findings.every(({ state }) => state !== 'failed');
  if (isReady && 'error' in planned) throw planned.error;
  const plan: Plan = 'plan' in planned ? planned.plan : { steps: [] };
  return {
    findings,
    plan,
    names,
    httpPort: config.httpPort,
    httpsPort: config.httpsPort,
    containers,
    dataFolder: config.dataDir,
    version,
    apply: (report, signal) => applyPlan(plan, report, signal, unfinishedInstall()),
  };
}

function mustBePackaged(): void {
  if (isSea()) return;
  throw new Failure('only the packaged binary installs itself', {
    code: 'not-packaged',
    exitCode: exitCodes.usage,
    remedy: 'build it with "npm run build", then: sudo dist/appliance install',
  });
}
