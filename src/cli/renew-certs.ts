import { join, resolve } from 'node:path';
import type { RenewOutcome } from '../certificates/certificate-service.ts';
import { configFlags } from '../config/flags.ts';
import { configOf, type Loaded } from '../config/load.ts';
import { Refusal } from '../config/kind.ts';
import { certificateName } from '../config/certificate-names.ts';
import { installedSecretsFolder } from '../config/paths.ts';
import type { Config } from '../config/schema.ts';
import { type ExitCode, exitCodes, Failure, UsageError } from '../core/errors.ts';
import { connectToService } from '../supervisor/control-client.ts';
import { yellow } from './colour.ts';
import type { Command, Io, ParsedArgs } from './command.ts';
import { loadFor } from './config.ts';
import { interruption } from './interruption.ts';
import { printable } from '../core/printable.ts';
import { printOutcomes } from './renewal-outcomes.ts';
import { runFolderOf } from './run-folder.ts';

interface RenewOptions {
  readonly force: boolean;
  readonly domain: string | undefined;
  readonly dryRun: boolean;
}

/** Whoever does the work: the running service, or this process where there is none. */
interface Certificates {
  renewCerts(
    options: RenewOptions,
    progress: (step: string) => void,
    signal: AbortSignal,
  ): Promise<readonly RenewOutcome[]>;
  importCertificate(pair: { readonly chain: string; readonly key: string }): Promise<RenewOutcome>;
}

export interface RenewCertsParts {
  /** Does the work in this process, below `APP_DATA_DIR` as that folder's owner. */
  alone(config: Config): Certificates;
  /** Reads a folder as certbot leaves it (`/etc/letsencrypt/live/NAME`); PEM. */
  readCertbotLineage(folder: string): Promise<{
    readonly chain: string;
    readonly key: string;
    readonly warnings: readonly string[];
  }>;
}

export function renewCertsCommand(parts: RenewCertsParts): Command {
  return {
    name: 'renew-certs',
    summary: 'renew the certificates that are due',
    usage: 'renew-certs [--force] [--domain NAME] [--dry-run] [--import FOLDER] [--json]',
    examples: [
      { command: 'appliance renew-certs', does: 'renew what is due; the running service does it' },
      { command: 'appliance renew-certs --dry-run', does: 'try the whole way and keep nothing' },
      {
        command: 'appliance renew-certs --force --domain whoami.example.com',
        does: 'a new one for that name, due or not',
      },
      {
        command: 'sudo appliance renew-certs --import /etc/letsencrypt/live/whoami.example.com',
        does: "take over certbot's certificate",
      },
    ],
    options: {
      force: { help: 'renew what is not due as well' },
      domain: { value: 'NAME', help: 'only the certificate that has this name' },
      'dry-run': { help: 'ask the staging authority, or the given one, and keep nothing' },
      import: { value: 'FOLDER', help: 'take over fullchain.pem and privkey.pem of certbot' },
      json: { help: 'print JSON for scripts' },
    },
    takesConfiguration: true,
    async run(args, io) {
      const options = optionsOf(args);
      const invocation: Invocation = { args, io, loaded: loadFor(args, io) };
      const source = args.flags['import'];
      const outcomes =
        source === undefined
          ? await renew(invocation, options, parts)
          : [await importFrom(resolve(io.workingFolder, source), invocation, parts)];
      if (outcomes.length === 0) throw noDomain(invocation.loaded);
      return printOutcomes(outcomes, io, {
        json: args.switches.has('json'),
        dryRun: options.dryRun,
        imported: source !== undefined,
        now: Date.now(),
      });
    },
  };
}

interface Invocation {
  readonly args: ParsedArgs;
  readonly io: Io;
  readonly loaded: Loaded;
}

function optionsOf({ flags, switches }: ParsedArgs): RenewOptions {
  const force = switches.has('force');
  const dryRun = switches.has('dry-run');
  const given = flags['domain'];
  if (flags['import'] !== undefined && (force || dryRun || given !== undefined)) {
    throw new UsageError(
      '--import goes with none of --force, --dry-run and --domain',
      'leave the others out',
    );
  }
  if (given === undefined) return { force, dryRun, domain: undefined };
  const domain = certificateName.parse(given);
  if (domain instanceof Refusal) {
    const why = domain.why === undefined ? '' : ` (${domain.why})`;
    throw new UsageError(`--domain ${given} is not right${why}`, `allowed: ${certificateName.allowed}`);
  }
  return { force, dryRun, domain };
}

type ByService<Result> = (service: Certificates) => Promise<Result>;

/** Undefined where no service runs. */
async function askService<Result>(
  { args, loaded, io }: Invocation,
  ask: ByService<Result>,
): Promise<Result | undefined> {
  try {
    const result = await ask(connectToService<never, RenewOutcome>(runFolderOf(loaded)));
    const unheard = configFlags.filter(({ name }) => name in args.flags && name !== 'run-dir');
    if (unheard.length > 0) {
      const names = unheard.map(({ name }) => `--${name}`).join(', ');
      warn(io, `the running service did it, with its own configuration: ${names} had no effect`);
    }
    return result;
  } catch (error) {
    if (error instanceof Failure && error.code === 'not-running') return undefined;
    throw error;
  }
}

async function renew(
  invocation: Invocation,
  options: RenewOptions,
  parts: RenewCertsParts,
): Promise<readonly RenewOutcome[]> {
  const progress = progressTo(invocation.io);
  const inService = interruption(
    'interrupted, but the service goes on with the renewal',
    '"appliance status" shows how it ends',
  );
  try {
    const outcomes = await askService(invocation, (service) =>
      service.renewCerts(options, progress, inService.signal),
    );
    if (outcomes !== undefined) return outcomes;
  } finally {
    inService.dispose();
  }
  const config = configWithDomain(invocation.loaded);
  progress('no service is running, so this program does the work');
  const here = interruption(
    'interrupted; what was under way changed no certificate',
    'run it again: it goes on where it stopped',
  );
  try {
    const outcomes = await parts.alone(config).renewCerts(options, progress, here.signal);
    return outcomes.map((outcome) => ({ ...outcome, remedy: remedyAlone(outcome.remedy) }));
  } catch (error) {
    here.signal.throwIfAborted();
    throw error;
  } finally {
    here.dispose();
  }
}

/** No service runs that would try again by itself. */
function remedyAlone(remedy: string | undefined): string | undefined {
  return remedy?.replace(
    /\b(i)t is tried again(?: by itself)?(?: with a new order)?/i,
    (_, first: string) => `${first === 'I' ? 'S' : 's'}tart the service, or run this command again`,
  );
}

/** Only root may read certbot's folder, and the service is not root: the command reads, the service keeps. */
async function importFrom(
  folder: string,
  invocation: Invocation,
  parts: RenewCertsParts,
): Promise<RenewOutcome> {
  const { warnings, ...pair } = await parts.readCertbotLineage(folder);
  for (const warning of warnings) warn(invocation.io, warning);
  return (
    (await askService(invocation, (service) => service.importCertificate(pair))) ??
    parts.alone(configWithDomain(invocation.loaded)).importCertificate(pair)
  );
}

function warn(io: Io, text: string): void {
  io.stderr.write(`${yellow('warning:', io.stderr)} ${text}\n`);
}

/** Each step on its line of standard error, and no step twice in a row. */
function progressTo(io: Io): (step: string) => void {
  let last = '';
  return (step) => {
    if (step !== last) io.stderr.write(`${printable(step)}\n`);
    last = step;
  };
}

function configWithDomain(loaded: Loaded): Config {
  const config = configOf(loaded);
  if (config.certificates === undefined) throw noDomain(loaded);
  return config;
}

function noDomain({ config, secretsDir }: Loaded): Failure {
  const exitCode: ExitCode = exitCodes.usage;
  if (config?.certificates !== undefined) {
    return new Failure('the running service has no CERT_DOMAIN, though the configuration has one', {
      code: 'no-domain',
      exitCode,
      remedy: 'have it read the configuration again: "systemctl reload appliance", or kill -HUP',
    });
  }
  const file = join(secretsDir ?? installedSecretsFolder, 'acme.env');
  return new Failure('there is no certificate to renew: CERT_DOMAIN is not set', {
    code: 'no-domain',
    exitCode,
    remedy: `set CERT_DOMAIN and CERT_EMAIL in ${file}`,
  });
}
