import { existsSync } from 'node:fs';
import type { ReadArchive } from '../backup/archive-reader.ts';
import type { RestoredBackup } from '../backup/restore.ts';
import { configOf } from '../config/load.ts';
import { secretsDirFlag } from '../config/flags.ts';
import { defaultDataFolder, defaultRunFolder, installedSecretsFolder } from '../config/paths.ts';
import type { Config } from '../config/schema.ts';
import { countText } from '../core/count-text.ts';
import { exitCodes, Failure, UsageError } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import { shellWord } from '../core/shell-word.ts';
import { minuteText } from '../core/time-text.ts';
import { isBareHost } from './bare-host.ts';
import { passphraseOption, type ProofRequest, proofOf } from './backup-verify.ts';
import type { Command, Io, ParsedArgs } from './command.ts';
import { loadFor } from './config.ts';
import { interruption } from './interruption.ts';
import { questionsOn } from './questions.ts';
import { tellService } from './tell-service.ts';

export interface Restorer {
  /** Undefined where `confirm` said no. */
  restore(
    load: () => Config,
    request: ProofRequest & {
      readonly environment: Io['environment'];
      readonly step: (step: string) => void;
      readonly confirm: (read: ReadArchive, place: string) => Promise<boolean>;
    },
  ): Promise<(RestoredBackup & { readonly stackChanged: boolean }) | undefined>;
}

export function backupRestore(restorer: Restorer): Command {
  return {
    name: 'backup restore',
    summary: 'put what an archive holds in the place of what there is',
    usage: 'backup restore [FILE] [--yes] [--passphrase-file FILE]',
    examples: [
      {
        command: 'sudo appliance backup restore FILE --passphrase-file /root/passphrase',
        does: 'what there is goes into an archive first',
      },
      { command: 'sudo appliance backup restore FILE --yes', does: 'without asking, for a script' },
    ],
    options: { ...passphraseOption, yes: { help: 'do not ask' } },
    takesConfiguration: true,
    maxPositionals: 1,
    async run(args, io) {
      const asks = !args.switches.has('yes');
      if (asks && !process.stdin.isTTY)
        throw new UsageError('nobody is there to be asked', 'add --yes to restore without asking');
      const load = () => configFor(args, io);
      const stop = interruption(
        'interrupted; what was under way is not finished',
        'run it again: it goes on, and the copy of what there was before stays',
      );
      try {
        const restored = await restorer.restore(load, {
          ...proofOf(args, io, load()),
          environment: io.environment,
          step: (step) => void io.stderr.write(`${printable(step)}\n`),
          confirm: (read, place) => (asks ? confirmed(read, place, io, stop.signal) : Promise.resolve(true)),
          signal: stop.signal,
        });
        if (restored === undefined) {
          io.stderr.write('nothing was changed\n');
          return exitCodes.done;
        }
        io.stdout.write(text(restored, args.flags['passphrase-file']));
        await tellService(loadFor(args, io), io);
        if (restored.forbidden.length > 0) throw notAllPut(restored.forbidden);
        return exitCodes.done;
      } finally {
        stop.dispose();
      }
    },
  };
}

/** On a new host the folder that is named, or that of an installed host, may be still to come: it is in the archive. */
function configFor(args: ParsedArgs, io: Io): Config {
  const loaded = loadFor(args, io);
  const { secretsDir } = loaded;
  if (isBareHost(loaded, io)) return asInstalled(configOf(loaded), io);
  if (secretsDir === undefined || existsSync(secretsDir)) return configOf(loadFor(args, io));
  const { [secretsDirFlag]: _flag, ...flags } = args.flags;
  const { APP_SECRETS_DIR: _variable, ...environment } = io.environment;
  const config = configOf(loadFor({ ...args, flags }, { ...io, environment }));
  return { ...config, secretsDir, installed: secretsDir === installedSecretsFolder };
}

/** Also where the archive brings no configuration: an install that comes later finds all of it. */
function asInstalled(config: Config, { environment, workingFolder }: Io): Config {
  const surroundings = { installed: true, environment, workingFolder };
  return {
    ...config,
    installed: true,
    secretsDir: installedSecretsFolder,
    dataDir: defaultDataFolder(surroundings),
    runDir: defaultRunFolder(surroundings),
  };
}

async function confirmed(
  { head, tables }: ReadArchive,
  place: string,
  { stderr }: Io,
  signal: AbortSignal,
): Promise<boolean> {
  const rows = tables.reduce((sum, each) => sum + each.rows, 0);
  stderr.write(
    `The archive was made ${minuteText(head.createdMs)} on ${printable(head.hostName)} and holds ${countText(rows, 'row')}.\n` +
      `They take the place of all that is in ${place}; what there is is kept.\n`,
  );
  const questions = questionsOn(process.stdin, stderr, signal);
  try {
    return await questions.confirm('Restore it?', false);
  } finally {
    questions.close();
  }
}

/** The rows are in place, and so is all that this user may write. */
function notAllPut(forbidden: readonly string[]): Failure {
  const names = forbidden.map(printable).join(', ');
  return new Failure(`not put in place, for lack of the right to write there: ${names}`, {
    code: 'restore-rights',
    remedy: 'All else is in place. Run it again as root: sudo appliance backup restore FILE',
  });
}

function text(
  {
    read,
    safetyCopy,
    latestCopy,
    damaged,
    newer,
    files,
    leftAlone,
    stackChanged,
  }: RestoredBackup & { stackChanged: boolean },
  passphraseFile: string | undefined,
): string {
  const rows = read.tables.reduce((sum, each) => sum + each.rows, 0);
  const option = passphraseFile === undefined ? '' : ` --passphrase-file ${shellWord(passphraseFile)}`;
  const lines = [
    `restored: ${countText(rows, 'row')} of ${countText(read.tables.length, 'table')}, ${countText(files, 'file')}`,
    ...(damaged === undefined && newer === undefined
      ? [
          `  what there was before: ${safetyCopy}`,
          `  to go back: appliance backup restore ${shellWord(safetyCopy)}${option}`,
        ]
      : [
          damaged === undefined
            ? `  the database of the newer release: ${newer}`
            : `  the database that was damaged: ${damaged}`,
          `  the files that there were before, without a row: ${safetyCopy}`,
        ]),
    ...(latestCopy === safetyCopy ? [] : [`  what the run that was cut off had left: ${latestCopy}`]),
    '  whoever was signed in has to sign in again',
  ];
  if (!read.head.secrets && leftAlone.length > 0)
    lines.push(
      `  ${leftAlone.length === 1 ? '1 file stays' : `${leftAlone.length} files stay`} in the archive: of no use in its place without keys and passwords`,
    );
  else if (leftAlone.length > 0)
    lines.push(
      `  left in the archive, since this host has its own or no place for them: ${leftAlone.map(printable).join(', ')}`,
    );
  if (stackChanged)
    lines.push('  next: sudo appliance stack up (gives the servers the passwords of the archive)');
  return `${lines.join('\n')}\n`;
}
