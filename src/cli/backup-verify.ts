import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { ProofProgress } from '../backup/proof.ts';
import type { VerifiedBackup } from '../backup/verify.ts';
import { configOf } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { countText } from '../core/count-text.ts';
import { exitCodes } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import { minuteText } from '../core/time-text.ts';
import { yellow } from './colour.ts';
import type { Command, Io, ParsedArgs } from './command.ts';
import { loadFor } from './config.ts';
import { interruption } from './interruption.ts';

export interface ProofRequest {
  readonly file: string | undefined;
  readonly passphraseFile: string | undefined;
  readonly progress: (progress: ProofProgress) => void;
  readonly signal: AbortSignal;
}

export interface VerifyRequest extends ProofRequest {
  /** Whether APP_ALERT_COMMAND is told of an archive that could not be proven. */
  readonly alert: boolean;
  readonly warn: (text: string) => void;
}

export interface Verifier {
  verify(config: Config, request: VerifyRequest): Promise<VerifiedBackup>;
}

export const passphraseOption = {
  'passphrase-file': { value: 'FILE', help: 'the file with the passphrase that it was made with' },
} as const;

export function backupVerify(verifier: Verifier): Command {
  return {
    name: 'backup verify',
    summary: 'prove that an archive can be restored, and change nothing',
    usage: 'backup verify [FILE] [--passphrase-file FILE] [--alert] [--json]',
    examples: [
      {
        command: 'sudo appliance backup verify',
        does: 'the newest: restored beside, and compared',
      },
      { command: 'sudo appliance backup verify /mnt/backups/appliance-….tar.zst', does: 'that one' },
    ],
    options: {
      ...passphraseOption,
      alert: { help: 'tell APP_ALERT_COMMAND where it fails, as timers do' },
      json: { help: 'print JSON for scripts' },
    },
    takesConfiguration: true,
    maxPositionals: 1,
    async run(args, io) {
      const config = configOf(loadFor(args, io));
      const stop = interruption('interrupted; nothing was changed', 'run it again');
      try {
        const verified = await verifier.verify(config, {
          ...proofOf(args, io, config),
          alert: args.switches.has('alert'),
          warn: (text) => void io.stderr.write(`${yellow('warning:', io.stderr)} ${printable(text)}\n`),
          signal: stop.signal,
        });
        io.stdout.write(args.switches.has('json') ? json(verified) : text(verified));
        return exitCodes.done;
      } finally {
        stop.dispose();
      }
    },
  };
}

/** What the arguments say of the archive: a path, or the name of one in the folder of archives. */
export function proofOf(
  { positionals: [given], flags }: ParsedArgs,
  io: Io,
  { dataDir }: Pick<Config, 'dataDir'>,
): Omit<ProofRequest, 'signal'> {
  const path = given === undefined ? undefined : resolve(io.workingFolder, given);
  const known = given === undefined || given.includes('/') ? undefined : join(dataDir, 'backups', given);
  const file = path !== undefined && known !== undefined && !existsSync(path) ? known : path;
  const passphrase = flags['passphrase-file'];
  const passphraseFile = passphrase === undefined ? undefined : resolve(io.workingFolder, passphrase);
  return { file, passphraseFile, progress: progressTo(io) };
}

const steps = { reading: 'reading the archive', loading: 'restoring it for a proof', comparing: 'comparing' };

/** A line every second, on a terminal only. */
function progressTo({ stderr }: Io): (progress: ProofProgress) => void {
  let last = performance.now();
  return ({ step, done }) => {
    if (stderr.isTTY !== true || performance.now() - last < 1000) return;
    last = performance.now();
    stderr.write(`${steps[step]}: ${Math.floor(100 * done)} %\n`);
  };
}

function text({ file, head, tables, files }: VerifiedBackup): string {
  const width = Math.max(...tables.map(({ name }) => name.length));
  return [
    `${printable(file)} can be restored`,
    `  made ${minuteText(head.createdMs)} on ${printable(head.hostName)} by ${head.release} (${head.database})`,
    ...tables.map(({ name, rows }) => `  ${name.padEnd(width)}  ${countText(rows, 'row')}, all the same`),
    `  ${countText(files, 'file')}`,
    '',
  ].join('\n');
}

function json({ file, sha256, head, tables, files }: VerifiedBackup): string {
  const { createdMs, hostName, release, database, secrets } = head;
  const createdAt = new Date(createdMs).toISOString();
  const verified = { file, sha256, createdAt, hostName, release, database, secrets, tables, files };
  return `${JSON.stringify({ schema: 1, verified }, undefined, 2)}\n`;
}
