import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { loadConfig } from '../config/load.ts';
import { type OldStack, readOldStack } from '../config/old-stack.ts';
import { installedSecretsFolder } from '../config/paths.ts';
import { ConfigError, formatProblem } from '../config/problem.ts';
import { readSecretsFolder } from '../config/secrets-folder.ts';
import { type PlannedValue, planSecrets, type SecretsPlan } from '../config/secrets-plan.ts';
import { files } from '../config/setting.ts';
import { type ExitCode, exitCodes, Failure, UsageError } from '../core/errors.ts';
import type { Command, Io, ParsedArgs } from './command.ts';
import { loadFor } from './config.ts';
import { type SecretsPlace, warn, whereOf } from './secrets-place.ts';

export interface SecretsMaker extends SecretsPlace {
  /** Calls `plan` once nobody else is at it, and writes what it gives. */
  write(folder: string, installed: boolean, plan: () => readonly PlannedValue[]): Promise<void>;
}

export function secretsInitCommand(secrets: SecretsMaker): Command {
  return {
    name: 'secrets init',
    summary: 'make the passwords and files that the containers need, and overwrite none',
    usage: 'secrets init [--from FOLDER] [--dry-run] [--secrets-dir FOLDER]',
    examples: [
      { command: 'sudo appliance secrets init', does: 'make what is missing in /etc/appliance/secrets' },
      { command: 'sudo appliance secrets init --from /srv/old/secrets', does: 'take over an older stack' },
      { command: 'appliance secrets init --secrets-dir ./secrets --dry-run', does: 'say what would be made' },
    ],
    options: {
      from: { value: 'FOLDER', help: 'take what a folder of the older stack has: django.env, nginx.env, …' },
      'dry-run': { help: 'say what would be made, and make nothing' },
    },
    takesConfiguration: true,
    async run(args, io) {
      const loaded = loadFor(args, io);
      const where = whereOf(loaded);
      const folder = loaded.secretsDir ?? installedSecretsFolder;
      const old = oldStackOf(args, io);
      const plan = () => planSecrets(foundIn(folder), secrets.addressesFor(where), old);
      const before = plan();
      await secrets.checkModes(folder, files);
      const dryRun = args.switches.has('dry-run');
      let done = before;
      if (!dryRun && before.values.length > 0) {
        if (folder === installedSecretsFolder && process.geteuid?.() !== 0) throw needsRoot();
        await secrets.write(folder, where.installed, () => (done = plan()).values);
      }
      io.stdout.write(`${report(folder, done, old, dryRun).join('\n')}\n`);
      if (
        existsSync(join(where.dataDir, 'state.sqlite')) &&
        done.values.some(({ key }) => key === 'POSTGRES_HOST')
      ) {
        warn(io, `what the embedded database holds stays in ${join(where.dataDir, 'state.sqlite')}`);
      }
      return dryRun ? exitCodes.done : checked(folder, io);
    },
  };
}

/** What cannot be read could hold the very key that seems to be missing. */
function foundIn(folder: string) {
  if (!existsSync(folder)) return { files: [], problems: [], warnings: [] };
  const found = readSecretsFolder(folder);
  const problems = [
    ...found.problems,
    ...found.files.flatMap(({ path, problems }) =>
      problems.map(({ line, message }) => ({ source: path, line, message })),
    ),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
  return found;
}

function oldStackOf({ flags }: ParsedArgs, io: Io): OldStack | undefined {
  const from = flags['from'];
  if (from === undefined) return undefined;
  const folder = resolve(io.workingFolder, from);
  const old = readOldStack(folder);
  if (old !== undefined) return old;
  throw new UsageError(
    `${folder} has no file of the older stack`,
    'name the folder with postgres.env, redis.env, nginx.env and django.env or app.env',
  );
}

function report(folder: string, plan: SecretsPlan, old: OldStack | undefined, dryRun: boolean): string[] {
  const made = plan.values.map(({ file, key, value, secret, origin }) => {
    const shown = secret ? '(secret)' : value;
    return file === 'geoip.key'
      ? `  ${file}: ${shown}, ${origin}`
      : `  ${file}: ${key} = ${shown}, ${origin}`;
  });
  const left = old?.left.map(({ from, what, why }) => `  ${from}: ${what}: ${why}`) ?? [];
  const section = (title: string, lines: readonly string[]) => (lines.length === 0 ? [] : [title, ...lines]);
  return [
    ...(made.length === 0
      ? [`${folder} has all that the containers need`]
      : section(`${dryRun ? 'Would be written' : 'Written'} to ${folder}`, made)),
    ...section(
      'Kept as they were',
      plan.kept.map(({ file, key }) => `  ${file}: ${key}`),
    ),
    ...section('Not taken', left),
    ...section(
      'To know',
      plan.notes.map((note) => `  ${note}`),
    ),
  ];
}

/** Whether the folder is fit to run with now. */
function checked(folder: string, io: Io): ExitCode {
  const { problems } = loadConfig({
    flags: { 'secrets-dir': folder },
    environment: io.environment,
    workingFolder: io.workingFolder,
  });
  for (const problem of problems) warn(io, formatProblem(problem));
  return problems.length === 0 ? exitCodes.done : exitCodes.usage;
}

function needsRoot(): Failure {
  return new Failure(`only root can write to ${installedSecretsFolder}`, {
    code: 'needs-root',
    exitCode: exitCodes.usage,
    remedy: 'use sudo, or name a folder of your own with --secrets-dir',
  });
}
