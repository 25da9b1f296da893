import { countText } from '../core/count-text.ts';
import type { CertificateStatus } from '../certificates/certificate-service.ts';
import type { BackupsStatus, ServiceState } from '../supervisor/control-messages.ts';
import type { ServiceStatus } from '../supervisor/control-client.ts';
import { bold, red, yellow } from './colour.ts';
import type { Output } from './command.ts';
import { momentText } from './time-text.ts';
import { labelled } from './wrap.ts';

export interface ContainerState {
  readonly service: string;
  /** Docker's word: running, exited, restarting, … */
  readonly state: string;
  /** healthy, unhealthy, starting; undefined where it has no such check, or does not run. */
  readonly health?: string | undefined;
}

export interface Status extends ServiceStatus<CertificateStatus> {
  readonly containers?: readonly ContainerState[] | undefined;
  /** Why they are not known. */
  readonly containersFailure?: Error;
}

/** Wider than every label. */
const indent = 15;
const dayMs = 24 * 3_600_000;
/** As doctor has it. */
const oldGeoipDays = 60;

/** All that is known of the service, for people: on one screen where there is one certificate and nothing is wrong. */
export function statusScreen(status: Status, now: number, output: Output): string[] {
  const { version, pid, startedAt, certificates, state, backups, lastUpgrade, refusedReload } = status;
  const needs = whatNeedsYou(status, now);
  const line = (label: string, words: string, colour: Colour = plain) =>
    labelled(`  ${label}`, words, indent).map((text) => colour(text, output));
  return [
    bold(`appliance ${version} is running`, output),
    ...line(
      'needs you',
      needs.length === 0 ? 'no' : `yes: ${needs.join('; ')}`,
      needs.length === 0 ? plain : red,
    ),
    ...line('since', momentText(startedAt, now)),
    ...line('process', String(pid)),
    ...line('workers', workersText(status)),
    ...line('answers on', addresses(status).join(' and ')),
    ...containersLines(status, line),
    ...(status.geoip === undefined ? [] : line('GeoIP', geoipText(status.geoip, now))),
    ...(refusedReload === undefined
      ? []
      : [
          ...line(
            'last reload',
            `refused ${momentText(refusedReload.atMs, now)}: ${refusedReload.reason}`,
            red,
          ),
          ...line(
            'to do',
            `${refusedReload.remedy ?? 'appliance config check'}; then: sudo systemctl reload appliance`,
          ),
        ]),
    ...(lastUpgrade === undefined || lastUpgrade.outcome === 'done'
      ? []
      : [
          ...line('last upgrade', upgradeText(lastUpgrade), yellow),
          ...(lastUpgrade.outcome === 'interrupted'
            ? line('to do', lastUpgrade.remedy ?? 'the same again: sudo appliance upgrade FILE')
            : []),
        ]),
    ...(state === undefined ? [] : ['', ...describeState(state, output)]),
    ...(backups === undefined ? [] : ['', ...describeBackups(backups, now, output)]),
    ...(certificates.length === 0
      ? ['', bold('Certificates', output), '  none: CERT_DOMAIN is not set']
      : certificates.flatMap((certificate) => ['', ...describeCertificate(certificate, now, output)])),
  ];
}

/** In a few words each: what a person has to look at. More of it stands below. */
export function whatNeedsYou(status: Status, now: number): string[] {
  const { certificates, state, backups, lastUpgrade, refusedReload, containers = [], geoip = [] } = status;
  const ill = containers.filter((each) => !isWell(each));
  const troubled = certificates.filter(
    ({ state, lastError }) => ['expired', 'not-yet-valid'].includes(state) || lastError !== undefined,
  );
  const old = geoip.some(
    ({ builtMs, source }) => source !== 'embedded' && now - builtMs > oldGeoipDays * dayMs,
  );
  return [
    ...(refusedReload === undefined
      ? []
      : [
          refusedReload.remedy === undefined
            ? 'the configuration, which was refused'
            : 'the reload, which was refused',
        ]),
    ...troubled.map(({ names }) => `the certificate of ${names[0]}`),
    ...(state !== undefined && isTroubled(state.database) ? ['the database'] : []),
    ...(state?.cache.ok === false ? ['the cache'] : []),
    ...ill.map(({ service }) => `the container ${service}`),
    ...(backups?.lastFailure === undefined ? [] : ['the backup, which failed']),
    ...(backups?.unfinishedRestore === undefined ? [] : ['a restore, which was cut off']),
    ...(lastUpgrade?.outcome === 'went-back' ? ['the last upgrade, which went back'] : []),
    ...(lastUpgrade?.outcome === 'interrupted' ? ['the last upgrade, which was cut off'] : []),
    ...(old ? ['the GeoIP databases, which are old'] : []),
  ];
}

function isTroubled({ ok, opening }: ServiceState['database']): boolean {
  return !ok && opening !== true;
}

function isWell({ state, health }: ContainerState): boolean {
  return state === 'running' && (health === undefined || health === 'healthy');
}

function workersText({ workers }: Status): string {
  const restarts = workers.reduce((sum, worker) => sum + worker.restarts, 0);
  const pids = workers.map(({ pid }) => pid).join(', ');
  const replaced =
    restarts === 0 ? '' : `; replaced after they died: ${restarts === 1 ? 'once' : `${restarts} times`}`;
  return `${workers.length === 1 ? 'process' : `${workers.length}, processes`} ${pids}${replaced}`;
}

type Colour = (text: string, output: Output) => string;
type Line = (label: string, words: string, colour?: Colour) => string[];

function containersLines({ containers, containersFailure }: Status, line: Line): string[] {
  if (containersFailure !== undefined) return line('containers', containersFailure.message, yellow);
  if (containers === undefined) return [];
  if (containers.length === 0) return line('containers', 'none runs: sudo appliance stack up', red);
  const words = containers.map(({ service, state, health }) => `${service} ${health ?? state}`);
  return line('containers', words.join(', '), containers.every(isWell) ? plain : red);
}

function geoipText(editions: NonNullable<Status['geoip']>, now: number): string {
  const days = (builtMs: number) => Math.floor((now - builtMs) / dayMs);
  return editions.map(({ type, builtMs }) => `${type}, ${countText(days(builtMs), 'day')} old`).join('; ');
}

function upgradeText({ from, to, outcome, reason }: NonNullable<Status['lastUpgrade']>): string {
  const words = {
    done: 'done',
    'went-back': 'went back',
    'under-way': 'is under way',
    interrupted: 'was cut off',
  }[outcome];
  return `from ${from} to ${to} ${words}${reason === undefined ? '' : `: ${reason}`}`;
}

function addresses({ listenHost, httpPort, httpsPort }: Status): string[] {
  const host = listenHost.includes(':') ? `[${listenHost}]` : listenHost;
  return [`http://${host}:${httpPort}`, ...(httpsPort === undefined ? [] : [`https://${host}:${httpsPort}`])];
}

function describeBackups(backups: BackupsStatus, now: number, output: Output): string[] {
  const { newest, lastFailure, unfinishedRestore } = backups;
  const facts = newest && [
    momentText(newest.createdMs, now),
    newest.encrypted ? 'encrypted' : 'without keys and passwords',
    newest.verifiedMs === undefined ? 'not proven to restore' : 'proven to restore',
    newest.copyFailure ?? (newest.copiedMs === undefined ? 'only on this host' : 'copied'),
  ];
  const failure = lastFailure && `${momentText(lastFailure.atMs, now)}: ${lastFailure.message}`;
  return [
    bold('Backups', output),
    ...labelled('  newest', facts?.join(', ') ?? 'none', indent),
    ...(failure === undefined
      ? []
      : labelled('  last error', failure, indent).map((line) => red(line, output))),
    ...(unfinishedRestore === undefined
      ? []
      : labelled(
          '  to do',
          `a restore has not come to its end: appliance backup restore ${unfinishedRestore}`,
          indent,
        ).map((line) => red(line, output))),
  ];
}

function describeState({ database, cache, visits }: ServiceState, output: Output): string[] {
  const line = (label: string, words: string, ok: boolean) =>
    labelled(`  ${label}`, words, indent).map((text) => (ok ? text : yellow(text, output)));
  return [
    bold('State', output),
    ...line('database', database.words, !isTroubled(database)),
    ...(database.remedy === undefined ? [] : labelled('  to do', database.remedy, indent)),
    ...line('cache', cache.words, cache.ok),
    ...(cache.remedy === undefined ? [] : labelled('  to do', cache.remedy, indent)),
    ...(database.ok ? [] : labelled('  visits', `${visits.waiting} wait until they can be written`, indent)),
    ...(visits.blurred === 0
      ? []
      : labelled('', `${visits.blurred} are counted without their country and operator`, indent)),
  ];
}

function describeCertificate(certificate: CertificateStatus, now: number, output: Output): string[] {
  const { names, authority, servedAuthority, nextAttemptAt, reason, lastError } = certificate;
  const [title = '', ...more] = labelled('Certificate', names.join(', '), 'Certificate '.length);
  const state = stateText(certificate, now);
  const colour = { valid: plain, fallback: yellow, 'stand-in': yellow, 'not-yet-valid': red, expired: red }[
    certificate.state
  ];
  const lines = [
    bold(title, output),
    ...more.map((line) => bold(line, output)),
    ...labelled('  state', state, indent).map((line) => colour(line, output)),
    ...labelled('  authority', authority, indent),
  ];
  if (servedAuthority !== undefined && servedAuthority !== authority && servedAuthority !== imported) {
    lines.push(...labelled('  issued by', servedAuthority, indent));
  }
  const when = nextAttemptAt <= now ? 'now' : momentText(nextAttemptAt, now);
  lines.push(...labelled('  next try', `${when}, ${reason}`, indent));
  if (lastError !== undefined) {
    const times = lastError.failures > 1 ? `, ${lastError.failures} failures in a row` : '';
    lines.push(
      ...labelled('  last error', `${momentText(lastError.at, now)}${times}`, indent),
      ...labelled('', lastError.message, indent).map((line) => red(line, output)),
    );
    if (lastError.remedy !== undefined) lines.push(...labelled('  to do', lastError.remedy, indent));
  }
  return lines;
}

/** The authority of a certificate that was brought along. */
const imported = 'import';

function stateText({ state, notBefore, notAfter, servedAuthority }: CertificateStatus, now: number): string {
  if (state === 'stand-in' || notAfter === undefined) return 'none yet; a self-signed stand-in serves';
  const end = momentText(notAfter, now);
  if (state === 'expired' || notAfter <= now) return `expired ${end}`;
  if (state === 'not-yet-valid' && notBefore !== undefined)
    return `not valid before ${momentText(notBefore, now)}, or the clock of this host is wrong`;
  if (state === 'valid') return `valid until ${end}`;
  return `valid until ${end}, ${servedAuthority === imported ? 'imported' : 'but of another authority'}`;
}

function plain(text: string): string {
  return text;
}
