import { readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { countText } from '../../core/count-text.ts';
import { Failure } from '../../core/errors.ts';
import { type HalfUpgraded, halfUpgraded, halfUpgradedRemedy } from '../../core/half-upgraded.ts';
import type { ServiceView } from '../../ports/service-view.ts';
import { runsFile } from '../running-file.ts';
import { type Check, failed, ok, skipped, warning } from './check.ts';
import type { DoctorContext } from './doctor-context.ts';
import { startsInVain } from './unit-facts.ts';
import { installedReleases, readReleases } from '../install/releases.ts';
import { serviceUnit } from '../install/units.ts';

const program = '/usr/local/bin/appliance';
export const notInstalled = skipped('the service is not installed on this host');
export const notRunning = skipped('the service does not run');
const log = `journalctl --unit ${serviceUnit} --lines 50`;

/** Undefined where it cannot be asked, but for want of rights: that is thrown. What is wrong with it, the check "service" tells. */
export async function serviceIfRunning({ service }: DoctorContext): Promise<ServiceView | undefined> {
  return service().catch((error: unknown) => {
    if (error instanceof Failure && error.code !== 'control-denied') return undefined;
    throw error;
  });
}

/** What an upgrade left that was cut off; undefined where none was. Rejects where this user may not ask the service. */
export async function halfUpgrade(context: DoctorContext): Promise<HalfUpgraded | undefined> {
  const { host } = context;
  const last = await context.lastUpgrade();
  if (last === undefined || !context.installed) return undefined;
  const running = (await serviceIfRunning(context))?.version;
  const place = { folder: host.path(installedReleases.folder), link: host.path(installedReleases.link) };
  return halfUpgraded(last, running, (await readReleases(place)).current);
}

const running: Check<DoctorContext> = {
  name: 'service',
  title: 'service',
  async run(context) {
    const { installed } = context;
    const unit = (await context.units()).get(serviceUnit);
    if (installed && unit?.active === 'failed') {
      return failed(
        `the service has failed (${unit.result})`,
        `see why: ${log}; then: sudo systemctl restart appliance`,
      );
    }
    if (installed && unit !== undefined && startsInVain(unit)) {
      return failed('the service ends again as soon as it was started', `see why: ${log}`);
    }
    if (installed && unit !== undefined && unit.active !== 'active' && unit.active !== 'reloading') {
      return failed(
        `the service does not run (${unit.active || 'unknown'})`,
        'sudo systemctl start appliance',
      );
    }
    try {
      const { version, workers } = await context.service();
      return workers.length === 0
        ? failed(`release ${version} runs without a worker`, 'sudo systemctl restart appliance')
        : ok(
            `release ${version} runs with ${workers.length === 1 ? 'a worker' : `${workers.length} workers`}`,
          );
    } catch (error) {
      if (!(error instanceof Failure) || error.code === 'control-denied') throw error;
      const remedy = installed ? 'sudo systemctl restart appliance' : 'start it: appliance serve';
      return failed(error.message, error.code === 'not-running' ? remedy : (error.remedy ?? remedy));
    }
  },
};

const hourMs = 3_600_000;
const manyRestarts = 3;

const restarts: Check<DoctorContext> = {
  name: 'service-restarts',
  title: 'restarts of the service',
  async run(context) {
    const unit = (await context.units()).get(serviceUnit);
    const started = unit?.restarts ?? 0;
    const recent = (unit?.activeSinceMs ?? 0) > context.host.now() - hourMs;
    if (started >= manyRestarts && recent) {
      return failed(
        `systemd had to start the service again ${countText(started, 'time')}`,
        `see why: ${log}`,
      );
    }
    const service = await serviceIfRunning(context);
    const lost = service?.workers.reduce((sum, worker) => sum + worker.restarts, 0) ?? 0;
    if (lost >= manyRestarts)
      return failed(`workers had to be replaced ${countText(lost, 'time')}`, `see why: ${log}`);
    if (started + lost > 0) {
      return warning(
        `the service or a worker was started again ${countText(started + lost, 'time')}`,
        `see why: ${log}`,
      );
    }
    return ok('none');
  },
};

/** A binary that was replaced and a service that was not restarted since. */
const binaryInUse: Check<DoctorContext> = {
  name: 'running-binary',
  title: 'binary that runs',
  async run(context) {
    if (!context.installed) return notInstalled;
    const pid = (await context.units()).get(serviceUnit)?.mainPid ?? 0;
    if (pid === 0) return notRunning;
    const runs = readlinkSync(context.host.path(`/proc/${pid}/exe`));
    const restart = 'sudo systemctl restart appliance';
    if (runs.endsWith(' (deleted)')) {
      return failed(
        'the service runs a binary that is there no longer: an older one than is installed',
        restart,
      );
    }
    let installed: string;
    try {
      installed = realpathSync(context.host.path(program));
    } catch {
      return skipped(`${program} leads nowhere: see "program-link"`);
    }
    if (runsFile(context.host.path(`/proc/${pid}`), installed)) return ok(installed);
    // a restart would bring back the release before
    const half = await halfUpgrade(context).catch(() => undefined);
    return failed(
      `the service runs ${runs}, and ${installed} is installed`,
      half === undefined ? restart : halfUpgradedRemedy(half),
    );
  },
};

/** What a service under load needs: two descriptors a connection are many. */
const fewFiles = 4096;

const fileLimit: Check<DoctorContext> = {
  name: 'file-limit',
  title: 'limit of open files',
  async run(context) {
    const service = await serviceIfRunning(context);
    if (service === undefined) return notRunning;
    const { pid, workers } = service;
    const limits = readFileSync(context.host.path(`/proc/${workers[0]?.pid ?? pid}/limits`), 'utf8');
    const limit = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1]);
    if (Number.isNaN(limit) || limit >= fewFiles) return ok(`${limit} for each process`);
    return failed(
      `a process may have ${limit} files and connections open`,
      'take LimitNOFILE= out of what "systemctl cat appliance" shows, then: sudo systemctl daemon-reload && sudo systemctl restart appliance',
    );
  },
};

const mostLines = 20_000;

/** What the service itself called an error, each once with how often. */
const journal: Check<DoctorContext> = {
  name: 'journal',
  title: 'errors in the last hour',
  async run({ host, installed }) {
    if (!installed) return notInstalled;
    const args = [`--unit=${serviceUnit}`, '--since=-1h', '--output=cat', '--no-pager', '--quiet'];
    const { exitCode, stdout, stderr } = await host.run('journalctl', [...args, `--lines=${mostLines}`]);
    if (exitCode !== 0 && host.uid !== 0) return skipped('only root may read the journal', 'use sudo');
    if (exitCode !== 0) return skipped(`journalctl tells nothing: ${stderr.trim()}`);
    if (host.uid !== 0 && stdout === '') return skipped('only root may read the journal', 'use sudo');
    const counts = new Map<string, number>();
    for (const line of stdout.split('\n')) {
      const text = errorIn(line);
      if (text !== undefined) counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    if (counts.size === 0) return ok('none');
    const most = [...counts].toSorted(([, a], [, b]) => b - a).slice(0, 3);
    return warning(
      most.map(([text, count]) => (count === 1 ? text : `${text} (${count} times)`)).join('; '),
      `journalctl --unit ${serviceUnit} --since -1h`,
    );
  },
};

/** The message of a line of our log, where that is an error, or what systemd says of the end of a process. */
function errorIn(line: string): string | undefined {
  if (line.startsWith('{')) {
    if (!/"level":"(error|fatal)"/.test(line)) return undefined;
    try {
      const { msg, reason } = JSON.parse(line) as { msg?: unknown; reason?: unknown };
      return [msg, reason]
        .filter((each) => typeof each === 'string')
        .join(': ')
        .slice(0, 200);
    } catch {
      return undefined;
    }
  }
  return /Failed with result .*|Main process exited, code=(killed|dumped).*|Watchdog timeout.*/.exec(
    line,
  )?.[0];
}

export const serviceChecks: readonly Check<DoctorContext>[] = [
  running,
  restarts,
  binaryInUse,
  fileLimit,
  journal,
];
