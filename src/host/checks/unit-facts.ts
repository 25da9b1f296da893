import { allUnits } from '../install/units.ts';
import type { Host } from './host.ts';

/** What systemd knows of a unit, in its own words. */
export interface UnitFacts {
  readonly name: string;
  /** `loaded`, `not-found`, `masked`, `bad-setting`, … */
  readonly load: string;
  /** `active`, `inactive`, `failed`, `activating`, … */
  readonly active: string;
  /** `running`, `dead`, `auto-restart`, `waiting`, … */
  readonly sub: string;
  /** `enabled`, `disabled`, `masked`, …; empty where there is none. */
  readonly enabled: string;
  /** `success`, `exit-code`, `signal`, `watchdog`, `oom-kill`, `start-limit-hit`, … */
  readonly result: string;
  /** Starts by systemd itself after the service had ended. */
  readonly restarts: number;
  /** 0 where there is none. */
  readonly mainPid: number;
  /** Since when it is active; milliseconds since 1970, undefined where it never was. */
  readonly activeSinceMs: number | undefined;
  /** Whether its file was changed since systemd read it. */
  readonly stale: boolean;
  readonly path: string;
  readonly dropIns: readonly string[];
}

const properties = {
  name: 'Id',
  load: 'LoadState',
  active: 'ActiveState',
  sub: 'SubState',
  enabled: 'UnitFileState',
  result: 'Result',
  restarts: 'NRestarts',
  mainPid: 'MainPID',
  activeSince: 'ActiveEnterTimestamp',
  stale: 'NeedDaemonReload',
  path: 'FragmentPath',
  dropIns: 'DropInPaths',
} as const;

/** Whether it ends as soon as systemd starts it: it waits for the next start, or is starting after one that failed. */
export function startsInVain({ active, sub, restarts }: UnitFacts): boolean {
  return sub.startsWith('auto-restart') || (active === 'activating' && restarts > 0);
}

/** Asks systemd once for all of our units; an empty map where it does not answer. */
export async function readUnits(host: Host): Promise<ReadonlyMap<string, UnitFacts>> {
  const wanted = Object.values(properties).join(',');
  const { stdout } = await host.run('systemctl', [
    'show',
    '--timestamp=unix',
    `--property=${wanted}`,
    ...allUnits,
  ]);
  const units = stdout.trim().split(/\n\n+/).map(parse);
  return new Map(units.filter(({ name }) => name !== '').map((unit) => [unit.name, unit]));
}

function parse(text: string): UnitFacts {
  const of = (key: keyof typeof properties) =>
    new RegExp(`^${properties[key]}=(.*)$`, 'm').exec(text)?.[1] ?? '';
  const since = /^@(\d+)/.exec(of('activeSince'))?.[1];
  return {
    name: of('name'),
    load: of('load'),
    active: of('active'),
    sub: of('sub'),
    enabled: of('enabled'),
    result: of('result'),
    restarts: Number(of('restarts')),
    mainPid: Number(of('mainPid')),
    activeSinceMs: since === undefined ? undefined : Number(since) * 1000,
    stale: of('stale') === 'yes',
    path: of('path'),
    dropIns: of('dropIns')
      .split(' ')
      .filter((each) => each !== ''),
  };
}
