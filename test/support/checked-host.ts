import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Check, Finding } from '../../src/host/checks/check.ts';
import type { DoctorContext } from '../../src/host/checks/doctor-context.ts';
import { thisHost } from '../../src/host/checks/host.ts';
import { runDoctor } from '../../src/host/checks/run-doctor.ts';
import { Failure } from '../../src/core/errors.ts';

export interface CheckedHost {
  readonly folder: string;
  /** Writes files of the host: `/etc/passwd`. */
  put(files: Readonly<Record<string, string>>): void;
  /** What the check of that name says. */
  ask(
    checks: readonly Check<DoctorContext>[],
    name: string,
    change?: Partial<DoctorContext>,
  ): Promise<Finding>;
  remove(): void;
}

const notRunning = () =>
  Promise.reject(new Failure('the service is not running', { code: 'not-running', exitCode: 6 }));

/**
 * A host whose files lie in a folder, and where programs print what `programs` says to their command line; one that is not
 * there is not installed. Nothing is configured, and no service runs.
 */
export function checkedHost(programs: Readonly<Record<string, string>> = {}): CheckedHost {
  const folder = mkdtempSync(join(tmpdir(), 'checked-host-'));
  const host = {
    ...thisHost(folder),
    uid: 0,
    run(file: string, args: readonly string[]) {
      const stdout = programs[[file, ...args].join(' ')] ?? programs[file];
      return Promise.resolve(
        stdout === undefined
          ? { exitCode: 127, stdout: '', stderr: `${file} is not installed` }
          : { exitCode: 0, stdout, stderr: '' },
      );
    },
  };
  const context: DoctorContext = {
    host,
    installed: true,
    names: [],
    httpPort: 80,
    httpsPort: 443,
    containers: false,
    dataFolder: join(folder, 'data'),
    runFolder: join(folder, 'run'),
    dnsHook: false,
    oldestGlibc: '2.36',
    configuration: { secretsFolder: undefined, problems: [], warnings: [], values: {} },
    service: notRunning,
    units: () => Promise.resolve(new Map()),
    unitFiles: [],
    ownContainers: () => Promise.resolve([]),
    askDatabase: () => Promise.resolve(undefined),
    askCache: () => Promise.resolve({}),
    lastUpgrade: () => Promise.resolve(undefined),
    geoip: () => Promise.resolve([]),
    backups: () => Promise.resolve({ archives: [] }),
    checkPassphrase: () => Promise.resolve(),
    backupDueMs: () => undefined,
    nativeFile: { name: 'uws.node', sha256: '' },
  };
  return {
    folder,
    put(files) {
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), text, { mode: 0o600 });
      }
    },
    async ask(checks, name, change = {}) {
      const found = await runDoctor(
        checks.filter((check) => check.name === name),
        { ...context, ...change },
      );
      if (found[0] === undefined) throw new Error(`there is no check ${name}`);
      const { state, words, remedy } = found[0];
      return remedy === undefined ? { state, words } : { state, words, remedy };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
