import { lstatSync } from 'node:fs';
import { resolve } from 'node:path';

import { nearest } from '../core/nearest.ts';
import { crossCheck } from './cross-checks.ts';
import type { Assignment } from './env-file.ts';
import { checkFiles } from './file-checks.ts';
import { configFlags, isVariable, secretsDirFlag } from './flags.ts';
import { installedSecretsFolder, type Surroundings } from './paths.ts';
import { ConfigError, type Problem } from './problem.ts';
import { type Config, type Field, settings } from './schema.ts';
import { withStagingUrl } from './staging.ts';
import { keyAsShown, variableKeys } from './shown-key.ts';
import { readSecretsFolder, type SecretsFile } from './secrets-folder.ts';
import { type Origin, problemAt, readValue, type Value, type Values } from './value.ts';

const secretsDirKey = 'APP_SECRETS_DIR';

export interface LoadInput {
  /** Flags by name without dashes, as `http-port`; `secrets-dir` names the folder. */
  readonly flags: Readonly<Record<string, string | undefined>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly workingFolder: string;
  /** Where the folder of an installed host is looked for. */
  readonly installedFolder?: string;
}

export interface Loaded {
  /** Undefined where there is any problem. */
  readonly config: Config | undefined;
  /** Every value that passed its own check, in the order of the schema. */
  readonly values: readonly Value<unknown>[];
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  readonly secretsDir: string | undefined;
}

/**
 * Puts the configuration together: flag before environment before file before default. An empty value counts
 * as not given, but for a flag, where it is a problem. Every problem is found in one go; nothing is thrown.
 */
export function loadConfig(input: LoadInput): Loaded {
  const { flags, environment, workingFolder } = input;
  const installedFolder = input.installedFolder ?? installedSecretsFolder;
  const folderName = flags[secretsDirFlag] ?? (environment[secretsDirKey] || undefined);
  const secretsDir =
    folderName === undefined
      ? isThere(installedFolder)
        ? installedFolder
        : undefined
      : resolve(workingFolder, folderName);
  const installed = secretsDir === installedFolder;
  const surroundings: Surroundings = { installed, environment, workingFolder };
  const folder =
    secretsDir === undefined ? { files: [], problems: [], warnings: [] } : readSecretsFolder(secretsDir);

  const given = new Map<Field, Given>();
  for (const { field, text, origin } of [
    ...fromFiles(folder.files),
    ...fromEnvironment(environment),
    ...fromFlags(flags),
  ]) {
    given.set(field, { text, origin });
  }
  const read = settings.map(([field, setting]) => readValue(field, setting, given.get(field), surroundings));
  const values = withStagingUrl(read.filter((each) => 'value' in each));
  const byField: Values = Object.fromEntries(values.map((value) => [value.field, value]));
  const named = checkFiles(byField, installed);

  const problems = [
    ...folder.problems,
    ...folder.files.flatMap(fileProblems),
    ...emptyFlags(flags),
    ...read.flatMap((each) => ('value' in each ? [] : each)),
    ...crossCheck(byField),
    ...named.problems,
  ];
  const warnings = [
    ...folder.warnings,
    ...folder.files.flatMap(modeWarnings),
    ...misspelledVariables(environment),
    ...named.warnings,
    ...values.filter((value) => !value.setting.effective && value.origin.kind !== 'default').map(notYet),
  ];
  const config =
    problems.length > 0
      ? undefined
      : (Object.freeze({
          ...Object.fromEntries(values.map(({ field, value }) => [field, value])),
          secretsDir,
          installed,
        }) as unknown as Config);
  return { config, values, problems, warnings, secretsDir };
}

/** Whatever may not be looked at, or leads nowhere, is there: it is a problem then, and no reason for defaults. */
function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return true;
  }
}

/** The configuration to run with. Throws `ConfigError` with every problem where there is one. */
export function configOf(loaded: Loaded): Config {
  if (loaded.config === undefined) throw new ConfigError(loaded.problems);
  return loaded.config;
}

interface Given {
  readonly text: string;
  readonly origin: Origin;
}

function* fromFiles(read: readonly SecretsFile[]): Iterable<Given & { field: Field }> {
  for (const [field, setting] of settings) {
    const file = read.find(({ name }) => name === setting.file);
    const found = file?.assignments.find(({ key, value }) => key === setting.key && value !== '');
    if (!file || !found) continue;
    yield { field, text: found.value, origin: { kind: 'file', path: file.path, line: found.line } };
  }
}

function* fromEnvironment(environment: LoadInput['environment']): Iterable<Given & { field: Field }> {
  for (const [field, setting] of settings) {
    const text = isVariable(setting) ? environment[setting.key] : undefined;
    if (text) yield { field, text, origin: { kind: 'environment' } };
  }
}

function* fromFlags(flags: LoadInput['flags']): Iterable<Given & { field: Field }> {
  for (const { name, field } of configFlags) {
    const text = flags[name];
    if (text) yield { field, text, origin: { kind: 'flag', name } };
  }
}

function emptyFlags(flags: LoadInput['flags']): Problem[] {
  return Object.keys(flags)
    .filter((name) => flags[name] === '')
    .map((name) => ({
      source: `flag --${name}`,
      message: 'a value is missing: leave the flag out for the default',
    }));
}

function fileProblems(file: SecretsFile): Problem[] {
  const shown = keyAsShown(file);
  const unreadable = file.problems.map(({ key, ...problem }) => ({
    source: file.path,
    ...problem,
    ...(key === undefined ? {} : shown({ key, line: problem.line })),
  }));
  const unknown = file.assignments
    .filter(({ key }) => !settings.some(([, setting]) => setting.key === key && setting.file === file.name))
    .map((assignment) => unknownKey(file, assignment, shown(assignment)));
  return [...unreadable, ...unknown].sort((a, b) => a.line - b.line);
}

function unknownKey(
  file: SecretsFile,
  { key, line }: Assignment,
  shown: { key?: string },
): Problem & { line: number } {
  const problem = { source: file.path, line, ...shown };
  if (key === secretsDirKey) {
    return { ...problem, message: 'names the folder that this file lies in: set it in the environment' };
  }
  const meant = nearest(key, variableKeys);
  const home = settings.find(([, setting]) => setting.key === meant)?.[1].file;
  if (meant === key) return { ...problem, message: `belongs in ${home}` };
  if (meant === undefined) return { ...problem, message: 'there is no such key' };
  const where = home === file.name ? '' : ` in ${home}`;
  return { ...problem, message: `there is no such key; did you mean ${meant}${where}?` };
}

function modeWarnings(file: SecretsFile): Problem[] {
  const holdsSecret = file.assignments.some(
    ({ key, value }) => value !== '' && settings.some(([, setting]) => setting.key === key && setting.secret),
  );
  const verb = file.mode & 0o002 ? 'change' : holdsSecret && file.mode & 0o007 ? 'read' : undefined;
  if (verb === undefined) return [];
  const mode = file.mode.toString(8).padStart(4, '0');
  return [
    { source: file.path, message: `everybody on this host can ${verb} it (mode ${mode}); chmod 0640 it` },
  ];
}

function misspelledVariables(environment: LoadInput['environment']): Problem[] {
  const known = [...variableKeys, secretsDirKey];
  return Object.keys(environment)
    .filter((name) => /^(APP|CERT)_/.test(name) && !known.includes(name))
    .flatMap((key) => {
      const meant = nearest(key, known, 2);
      if (meant === undefined) return [];
      return { source: 'environment', key, message: `is not used; did you mean ${meant}?` };
    });
}

function notYet({ setting, origin }: Value<unknown>): Problem {
  return problemAt(setting, origin, 'is accepted, but this release does nothing with it yet');
}
