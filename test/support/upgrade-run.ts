// A program: has a service hand over to another version of itself under load, and prints what was seen as its last line, JSON.
// It is run on a network of its own by `upgrade-takeover.test.ts`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { get } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import type { ServiceStatus, UpgradeResult } from '../../src/supervisor/control-messages.ts';
import { connectToService } from '../../src/supervisor/control-client.ts';
import { startAppliance } from './appliance.ts';
import { isAlive } from './child-processes.ts';
import { nextVersion } from './next-version.ts';
import { until } from './until.ts';

export interface UpgradePlan {
  readonly upgrades: number;
  readonly watchMs: number;
}

export interface UpgradeReport {
  readonly upgrades: readonly UpgradeResult[];
  /** Supervisors, as `status` told them: at first, and after each upgrade. */
  readonly pids: readonly number[];
  readonly lastUpgrade: ServiceStatus['lastUpgrade'];
  /** By wrk, over 64 connections that stay open. */
  readonly keepAlive: { readonly requests: number; readonly failures: Readonly<Record<string, number>> };
  /** How many new connections were made, and what was wrong with those that failed. */
  readonly connections: number;
  readonly failed: readonly string[];
  /** How often the control socket was asked meanwhile, and what was wrong. */
  readonly asked: number;
  readonly unanswered: readonly string[];
  readonly log: string;
}

const plan = JSON.parse(process.argv[2] ?? '') as UpgradePlan;
const metricsPort = 9464;
const appliance = await startAppliance({
  environment: { APP_WORKERS: '2', APP_METRICS_LISTEN: `127.0.0.1:${metricsPort}` },
  flags: ['--run-dir', 'run'],
});
try {
  console.log(JSON.stringify(await run()));
} finally {
  await appliance.stop();
}

async function run(): Promise<UpgradeReport> {
  const service = connectToService(join(appliance.folder, 'run'));
  const script = join(import.meta.dirname, 'keep-alive.lua');
  const wrk = spawn(
    'wrk',
    ['-t1', '-c64', '-d300s', '--timeout', '30s', '-s', script, `${appliance.url}/whoami`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const printed = text(wrk.stdout);
  const flood = repeat(5, () => visit(`${appliance.url}/whoami`, '"IP"'));
  // the control socket takes 64 at a time
  const asking = repeat(50, async () => void (await service.status()), 16);
  const upgrades: UpgradeResult[] = [];
  const pids = [(await service.status()).pid];
  for (let count = 0; count < plan.upgrades; count++) {
    const before = pids.at(-1)!;
    const file = nextVersion(appliance.folder);
    upgrades.push(await service.upgrade({ file, watchMs: plan.watchMs }, console.error));
    pids.push((await service.status()).pid);
    await until('the one before has left', () => !isAlive(before), 40_000);
    await visit(`http://127.0.0.1:${metricsPort}/metrics`, 'appliance_workers 2');
  }
  await wait(500);
  const [connections, asked] = [await flood.stop(), await asking.stop()];
  wrk.kill('SIGINT');
  await once(wrk, 'close');
  const { requests, ...failures } = JSON.parse(/^\{.*\}$/m.exec(await printed)![0]) as { requests: number };
  const { lastUpgrade, pid } = await service.status();
  process.kill(pid, 'SIGTERM');
  await until('the last has ended', () => !isAlive(pid), 40_000);
  return {
    upgrades,
    pids,
    lastUpgrade,
    keepAlive: { requests, failures },
    connections: connections.done,
    failed: connections.failures,
    asked: asked.done,
    unanswered: asked.failures,
    log: appliance.log(),
  };
}

/** Does it again and again, unless so many of those before have not ended. */
function repeat(everyMs: number, action: () => Promise<void>, openAtMost = Infinity) {
  const open = new Set<Promise<void>>();
  const failures: string[] = [];
  let done = 0;
  const timer = setInterval(() => {
    if (open.size >= openAtMost) return;
    const one = action()
      .then(
        () => void done++,
        (error: unknown) => void failures.push(String(error)),
      )
      .finally(() => open.delete(one));
    open.add(one);
  }, everyMs);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      return { done, failures };
    },
  };
}

/** On a connection of its own. */
async function visit(url: string, expected: string): Promise<void> {
  const request = get(url, { agent: false, timeout: 30_000 });
  request.once('timeout', () => request.destroy(new Error('no answer in time')));
  const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream & { statusCode: number }];
  const body = await text(response);
  if (response.statusCode !== 200 || !body.includes(expected))
    throw new Error(`${response.statusCode}: ${body}`);
}
