import { resolve } from 'node:path';
import { text as textOf } from 'node:stream/consumers';
import type { Progress } from '../backup/create.ts';
import type { Backup } from '../backup/list.ts';
import type { BackupOutcome, BackupRequest } from '../backup/run.ts';
import { configOf, type Loaded } from '../config/load.ts';
import { ConfigError } from '../config/problem.ts';
import type { Config } from '../config/schema.ts';
import { countText } from '../core/count-text.ts';
import { exitCodes, UsageError } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import { tellBareHost } from './bare-host.ts';
import { bold, yellow } from './colour.ts';
import type { Command, Io, Output, ParsedArgs } from './command.ts';
import { loadFor } from './config.ts';
import { interruption } from './interruption.ts';
import { sizeText } from './size-text.ts';
import { momentText } from './time-text.ts';
import { labelled, widthOf } from './wrap.ts';

/** Archives on this host. */
export interface Backups {
  create(config: Config, request: BackupRequest): Promise<BackupOutcome>;
  /** Tells APP_ALERT_COMMAND, where that can be read, that the configuration is not fit for a backup. */
  tellUnfit(
    settings: Pick<Config, 'dataDir' | 'alertCommand'>,
    error: unknown,
    request: Pick<BackupRequest, 'warn' | 'signal'>,
  ): Promise<void>;
  list(config: Config): Promise<readonly Backup[]>;
}

const passphraseFlag = 'passphrase-file';

export function backupCreate(backups: Backups): Command {
  return {
    name: 'backup create',
    summary: 'write all that is kept to one archive',
    usage: 'backup create [--passphrase-file FILE | --no-encryption] [--alert] [--json]',
    examples: [
      {
        command: 'sudo appliance backup create --passphrase-file /root/passphrase',
        does: 'all of it, private keys and passwords too, encrypted',
      },
      { command: 'appliance backup create', does: 'as BACKUP_PASSPHRASE_FILE says; without it no keys' },
    ],
    options: {
      [passphraseFlag]: { value: 'FILE', help: 'encrypt with the passphrase in this file' },
      'no-encryption': {
        help: 'leave private keys and passwords out, but not their hashes, whatever the configuration says',
      },
      alert: { help: 'tell APP_ALERT_COMMAND where it fails, as timers do' },
      json: { help: 'print JSON for scripts' },
    },
    takesConfiguration: true,
    async run(args, io) {
      const passphraseFile = passphraseFileOf(args, io);
      const alert = args.switches.has('alert');
      const loaded = loadFor(args, io);
      if (alert) await tellIfUnfit(backups, loaded, io);
      const config = configOf(loaded);
      tellBareHost(loaded, io);
      const outcome = await create(backups, config, io, { passphraseFile, alert });
      const text = args.switches.has('json') ? outcomeJson(outcome) : outcomeText(outcome);
      io.stdout.write(text);
      if (outcome.copyFailure !== undefined) throw outcome.copyFailure;
      return exitCodes.done;
    },
  };
}

/** Started by the running service, which gives secrets of its environment on standard input, as JSON. */
export function backupScheduled(backups: Backups): Command {
  return {
    name: 'backup scheduled',
    summary: 'make the backup that is due',
    usage: 'backup scheduled',
    examples: [],
    takesConfiguration: true,
    hidden: true,
    async run(args, io) {
      const secrets = JSON.parse(await textOf(process.stdin)) as Record<string, string>;
      const full = { ...io, environment: { ...io.environment, ...secrets } };
      const config = configOf(loadFor(args, full));
      const outcome = await create(backups, config, io, { passphraseFile: undefined, alert: true });
      const { name, sizeBytes, encrypted, copied, removed } = outcome;
      io.stdout.write(JSON.stringify({ name, sizeBytes, encrypted, copied, removed }));
      if (outcome.copyFailure !== undefined) throw outcome.copyFailure;
      return exitCodes.done;
    },
  };
}

export function backupList(backups: Backups): Command {
  return {
    name: 'backup list',
    summary: 'show the archives on this host',
    usage: 'backup list [--json]',
    examples: [
      { command: 'sudo appliance backup list', does: 'show each with its age, and whether it was proven' },
      { command: "sudo appliance backup list --json | jq -r '.backups[0].file'", does: 'the newest' },
    ],
    options: { json: { help: 'print JSON for scripts' } },
    takesConfiguration: true,
    async run(args, io) {
      const found = await backups.list(configOf(loadFor(args, io)));
      if (args.switches.has('json')) io.stdout.write(toJson({ backups: found.map(forScripts) }));
      else if (found.length === 0) io.stdout.write('there are no backups\n');
      else io.stdout.write(`${listing(found, Date.now(), io.stdout).join('\n')}\n`);
      return exitCodes.done;
    },
  };
}

function passphraseFileOf({ flags, switches }: ParsedArgs, io: Io): string | false | undefined {
  const given = flags[passphraseFlag];
  if (!switches.has('no-encryption'))
    return given === undefined ? undefined : resolve(io.workingFolder, given);
  if (given === undefined) return false;
  throw new UsageError(`--no-encryption does not go with --${passphraseFlag}`, 'leave one of them out');
}

/** Nobody looks at what a timer runs: that its configuration is wrong has to be told as well. */
async function tellIfUnfit(backups: Backups, { config, values, problems }: Loaded, io: Io): Promise<void> {
  if (config !== undefined) return;
  const settings = Object.fromEntries(values.map(({ field, value }) => [field, value])) as Partial<Config>;
  const { dataDir, alertCommand } = settings;
  if (dataDir === undefined) return;
  const { signal } = new AbortController();
  await backups.tellUnfit({ dataDir, alertCommand }, new ConfigError(problems), { warn: warnTo(io), signal });
}

function warnTo(io: Io): (text: string) => void {
  return (text) => void io.stderr.write(`${yellow('warning:', io.stderr)} ${printable(text)}\n`);
}

async function create(
  backups: Backups,
  config: Config,
  io: Io,
  request: Pick<BackupRequest, 'passphraseFile' | 'alert'>,
): Promise<BackupOutcome> {
  const stop = interruption(
    'interrupted; the backup was not made, or not copied',
    '"appliance backup list" shows what there is',
  );
  const warn = warnTo(io);
  try {
    const progress = progressTo(io);
    const onCopy = (file: string) => {
      if (io.stderr.isTTY === true)
        io.stderr.write(`${file} is there; copying it by BACKUP_COPY_COMMAND …\n`);
    };
    const outcome = await backups.create(config, { ...request, progress, onCopy, warn, signal: stop.signal });
    for (const { path, reason } of outcome.leftOut) warn(`${path} is not in the archive: ${reason}`);
    return outcome;
  } finally {
    stop.dispose();
  }
}

/** A line every second, on a terminal only. */
function progressTo({ stderr }: Io): (done: Progress) => void {
  let last = performance.now();
  return ({ table, rows, bytes }) => {
    if (stderr.isTTY !== true || performance.now() - last < 1000) return;
    last = performance.now();
    stderr.write(`${table}: ${countText(rows, 'row')} so far, ${sizeText(bytes)}\n`);
  };
}

function outcomeText({ file, sizeBytes, encrypted, tables, files, removed, copied }: BackupOutcome): string {
  const rows = tables.reduce((sum, each) => sum + each.rows, 0);
  const lines = [
    file,
    `  ${sizeText(sizeBytes)}, ${countText(rows, 'row')} of ${countText(tables.length, 'table')}, ${countText(files, 'file')}; ${
      encrypted ? 'encrypted' : `not encrypted, ${hashesOf(tables)}without private keys and passwords`
    }`,
    ...removed.map((name) => `  removed ${name}`),
    ...(copied === true ? ['  copied by BACKUP_COPY_COMMAND'] : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** What somebody who gets hold of the archive may guess passwords with. */
function hashesOf(tables: BackupOutcome['tables']): string {
  const users = tables.find(({ name }) => name === 'users')?.rows ?? 0;
  return users === 0 ? '' : `with the password hashes of ${countText(users, 'user')}, `;
}

function outcomeJson(outcome: BackupOutcome): string {
  const { createdMs, copyFailure, ...rest } = outcome;
  const createdAt = new Date(createdMs).toISOString();
  const failure = copyFailure && { code: copyFailure.code, message: copyFailure.message };
  return toJson({ backup: { ...rest, createdAt, copyFailure: failure } });
}

/** Times as ISO 8601; what is not known is left out. */
function forScripts({ createdMs, verifiedMs, copiedMs, ...rest }: Backup): object {
  const iso = (at: number | undefined) => (at === undefined ? undefined : new Date(at).toISOString());
  return { ...rest, createdAt: iso(createdMs), verifiedAt: iso(verifiedMs), copiedAt: iso(copiedMs) };
}

function toJson(body: object): string {
  return `${JSON.stringify({ schema: 1, ...body }, undefined, 2)}\n`;
}

/** One line an archive; on a terminal that is too narrow for that, two. */
export function listing(backups: readonly Backup[], now: number, output: Output): string[] {
  const rows = backups.map((backup) => [
    backup.name,
    momentText(backup.createdMs, now),
    sizeText(backup.sizeBytes),
    backup.verifiedMs === undefined ? 'not proven' : `proven ${momentText(backup.verifiedMs, now)}`,
    backup.copiedMs === undefined ? 'only here' : 'copied',
  ]);
  const headings = ['ARCHIVE', 'MADE', 'SIZE', 'RESTORE', 'COPY'];
  const widths = headings.map((heading, at) =>
    Math.max(heading.length, ...rows.map((row) => row[at]!.length)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join('  ')
      .trimEnd();
  const table = rows.map(line);
  const width = widthOf(output);
  if (output.isTTY !== true || table.every((each) => each.length <= width))
    return [bold(line(headings), output), ...table];
  return rows.flatMap(([name, made, ...more]) => [
    ...labelled(`${name}  `, made!, 2, width),
    ...labelled('  ', more.join(', '), 2, width),
  ]);
}
