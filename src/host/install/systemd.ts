import { exitCodes, Failure } from '../../core/errors.ts';
import { runProgram } from '../run-program.ts';

/** What systemd is asked to do with our units. Each call rejects with the Failure `systemd` where it refuses. */
export const systemd = {
  /** Whether each is enabled. */
  async areEnabled(units: readonly string[]): Promise<boolean> {
    if (units.length === 0) return true;
    const { stdout } = await runProgram('systemctl', ['is-enabled', ...units], { timeoutMs });
    const states = stdout.trim().split('\n');
    return states.length === units.length && states.every((state) => state === 'enabled');
  },
  /** Which of them somebody has masked: those are never started. */
  async masked(units: readonly string[]): Promise<readonly string[]> {
    const { stdout } = await runProgram('systemctl', ['is-enabled', ...units], { timeoutMs });
    const states = stdout.trim().split('\n');
    return units.filter((_unit, at) => states[at]?.startsWith('masked'));
  },
  /** Whether a unit's file changed after systemd read it. */
  async needsReload(units: readonly string[]): Promise<boolean> {
    const { stdout } = await runProgram(
      'systemctl',
      ['show', '--property=NeedDaemonReload', '--value', ...units],
      {
        timeoutMs,
      },
    );
    return stdout.includes('yes');
  },
  async properties(unit: string, names: readonly string[]): Promise<Readonly<Record<string, string>>> {
    const wanted = names.map((name) => `--property=${name}`);
    const { stdout } = await runProgram('systemctl', ['show', unit, ...wanted], { timeoutMs });
    return Object.fromEntries(
      stdout.split('\n').flatMap((line) => {
        const at = line.indexOf('=');
        return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
      }),
    );
  },
  readUnits: () => must(['daemon-reload']),
  enable: (units: readonly string[]) => must(['enable', '--quiet', ...units]),
  restart: (units: readonly string[]) => must(['restart', ...units]),
  /** Stops it too. A unit that is not there is no fault. */
  disable: async (unit: string) =>
    void (await runProgram('systemctl', ['disable', '--now', '--quiet', unit], {
      timeoutMs: startTimeoutMs,
    })),
  /** `start`, `restart` and `reload` of the service; its own last words are the cause of what fails. */
  async service(action: 'start' | 'restart' | 'reload', unit: string): Promise<void> {
    if (action !== 'reload') await runProgram('systemctl', ['reset-failed', unit], { timeoutMs });
    const { exitCode, stderr } = await runProgram('systemctl', [action, unit], { timeoutMs: startTimeoutMs });
    if (exitCode === 0) return;
    throw await serviceFailure(unit, `${unit} does not ${action}: ${firstLine(stderr)}`);
  },
};

const timeoutMs = 30_000;
const startTimeoutMs = 120_000;
const linesShown = 12;

/** With the end of the unit's log as its cause. */
export async function serviceFailure(unit: string, message: string): Promise<Failure> {
  const log = await runProgram(
    'journalctl',
    ['--unit', unit, '--lines', String(linesShown), '--output', 'cat', '--no-pager'],
    { timeoutMs },
  );
  const end = log.stdout.trim();
  return new Failure(message, {
    code: 'service-start',
    exitCode: exitCodes.checkFailed,
    retryable: true,
    remedy: `see all it wrote: journalctl --unit ${unit}`,
    ...(end === '' ? {} : { cause: new Error(`its log ends with:\n${end}`) }),
  });
}

async function must(args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await runProgram('systemctl', args, { timeoutMs: startTimeoutMs });
  if (exitCode === 0) return;
  throw new Failure(`systemctl ${args.join(' ')} failed: ${firstLine(stderr)}`, {
    code: 'systemd',
    remedy: 'see "systemctl status" and "journalctl --unit init.scope"',
  });
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? '';
}
