// A program: has a service renew its certificate under load, and prints what was seen as its last line, JSON. It is
// run on a network of its own by `renewals-under-load.ts`.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { CertificateStatus } from '../../src/certificates/certificate-service.ts';
import { Failure } from '../../src/core/errors.ts';
import { connectToService } from '../../src/supervisor/control-client.ts';
import { startCertified, type CertifiedAppliance } from './certified-appliance.ts';
import { floodOfConnections, type NewConnection } from './new-connections.ts';
import { startPebble } from './pebble.ts';
import type { RenewalPlan, RenewalReport, Renewal } from './renewals-under-load.ts';

/** A swap takes place all over the service before it is told of; this long after the last one the load goes on. */
const afterTheLastMs = 3000;

const plan = JSON.parse(process.argv[2] ?? '') as RenewalPlan;
const startedAt = performance.now();
const say = (text: string) =>
  console.error(`${((performance.now() - startedAt) / 1000).toFixed(0).padStart(5)} s  ${text}`);

const pebble = await startPebble({ profiles: { default: plan.lifeSeconds } });
try {
  const appliance = await startCertified({ pebble, settings: { CERT_DOMAIN: name() } });
  try {
    console.log(JSON.stringify(await run(appliance)));
  } finally {
    await appliance.stop();
  }
} finally {
  await pebble.stop();
}

function name(): string {
  return 'a.test';
}

async function run(appliance: CertifiedAppliance): Promise<RenewalReport> {
  const first = await appliance.issued();
  say(`the first certificate serves: ${first}`);
  const keepAlive = startKeepAlive(appliance.httpsPort);
  const { httpsPort: port, root } = appliance;
  const flood = floodOfConnections({ port, root, name: name() }, plan.connectionsPerSecond);
  const renewals = await watch(appliance, first);
  await wait(afterTheLastMs);
  await flood.stop();
  return {
    renewals,
    keepAlive: await keepAlive.stop(),
    connections: flood.made.length,
    failed: flood.made.flatMap(({ fault }) => fault ?? []),
    stale: staleOf(flood.made, [first, ...renewals.map(({ serial }) => serial)], renewals),
    serials: [...new Set(flood.made.map(({ serial }) => serial))],
    log: appliance.service.log(),
  };
}

/** Waits for all the renewals that are wanted. */
async function watch(appliance: CertifiedAppliance, first: string): Promise<readonly Renewal[]> {
  const service = connectToService<CertificateStatus, never>(appliance.runDir);
  const renewals: Renewal[] = [];
  let serving = first;
  await askFor(appliance);
  while (renewals.length < plan.renewals) {
    await wait(50);
    const status = await service.status().catch(unlessSilent);
    const now = performance.now();
    if (now - startedAt > plan.limitSeconds * 1000) {
      say(`giving up:\n${appliance.service.log()}`);
      break;
    }
    const serial = status?.certificates[0]?.serial;
    if (serial === undefined || serial === serving) continue;
    serving = serial;
    renewals.push({ serial, servesAt: now });
    say(`renewal ${renewals.length} of ${plan.renewals} serves: ${serial}`);
    await askFor(appliance);
  }
  return renewals;
}

/** On a busy machine a service may be late with its status; it is asked again. */
function unlessSilent(error: unknown): undefined {
  if (!(error instanceof Failure) || error.code !== 'service-silent') throw error;
}

/** Has the authority ask for the next renewal sooner than it would by itself, where the plan says so. */
async function askFor(appliance: CertifiedAppliance): Promise<void> {
  if (plan.windowSeconds === undefined) return;
  const [start, end] = plan.windowSeconds.map((seconds) =>
    new Date(Date.now() + seconds * 1000).toISOString(),
  );
  const { certificate } = await appliance.visit({ name: name() });
  await pebble.setRenewalInfo(certificate, { suggestedWindow: { start, end } });
}

/** What was served although a later one had been told of. A serial that nobody told of yet is newer than all that were. */
function staleOf(
  made: readonly NewConnection[],
  told: readonly string[],
  renewals: readonly Renewal[],
): readonly string[] {
  return made.flatMap(({ startedAt, serial, fault }) => {
    if (fault !== undefined) return [];
    const expected = renewals.findLastIndex(({ servesAt }) => servesAt <= startedAt) + 1;
    const seen = told.indexOf(serial);
    return seen === -1 || seen >= expected ? [] : [`saw ${serial} after renewal ${expected}`];
  });
}

/** Connections that stay open for request after request. */
function startKeepAlive(port: number) {
  const script = join(import.meta.dirname, 'keep-alive.lua');
  // wrk by itself counts an answer after two seconds as none, and a busy machine may stand still for as long
  const limits = [`-d${plan.limitSeconds}s`, '--timeout', '10s'];
  const parameters = ['-t1', '-c16', ...limits, '-s', script, '-H', `Host: ${name()}`];
  const wrk = spawn('wrk', [...parameters, `https://127.0.0.1:${port}/whoami`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  wrk.stdout.on('data', (chunk) => (output += String(chunk)));
  const closed = once(wrk, 'close');
  return {
    async stop(): Promise<RenewalReport['keepAlive']> {
      wrk.kill('SIGINT');
      await closed;
      const line = /^\{.*\}$/m.exec(output)?.[0];
      if (line === undefined) throw new Error(`wrk ended without a result:\n${output}`);
      const { requests, ...failures } = JSON.parse(line) as Record<string, number>;
      return { requests: requests ?? 0, failures };
    },
  };
}
