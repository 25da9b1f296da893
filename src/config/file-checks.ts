import { X509Certificate } from 'node:crypto';
import { accessSync, constants, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

import { reasonOf } from '../core/errors.ts';
import { shellWord } from '../core/shell-word.ts';
import { systemCode } from '../core/storage-failure.ts';
import { installedFolders } from './paths.ts';
import { type Problem, quoted } from './problem.ts';
import type { Value, Values } from './value.ts';

export interface FileFindings {
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

/** Looks at the files that values name. `installed`: the service runs as a user of its own, so hooks have to be root's. */
export function checkFiles(values: Values, installed: boolean): FileFindings {
  const anchors = [values.certCaFile, values.certFallbackCaFile, values.postgresCaFile, values.redisCaFile]
    .filter(isGiven)
    .map(checkAnchor);
  const hooks = [values.certHook, values.certDnsHook]
    .filter(isGiven)
    .flatMap((hook) => programProblem(hook, installed) ?? []);
  return {
    problems: [
      ...[values.dataDir, values.runDir].filter(isGiven).flatMap((given) => folderProblem(given) ?? []),
      ...anchors.flatMap(({ problems }) => problems),
      ...hooks,
    ],
    warnings: [
      ...anchors.flatMap(({ warnings }) => warnings),
      ...[values.backupPassphraseFile].filter(isGiven).flatMap((file) => passphraseWarning(file) ?? []),
    ],
  };
}

type Given = Value<string | undefined> & { readonly value: string };

function isGiven(value: Value<string | undefined> | undefined): value is Given {
  return value?.value !== undefined;
}

/** One that is not there is made; whether this user may is seen then. */
function folderProblem(given: Given): Problem | undefined {
  if (installedFolders.includes(given.value)) return undefined;
  for (let at = given.value; ; at = dirname(at)) {
    try {
      if (statSync(at).isDirectory()) return undefined;
      const below = at === given.value ? '' : `, and ${shown(given.value)} would lie below it`;
      return given.problem(`${shown(at)} is no folder${below}: name another`);
    } catch (error) {
      if (!['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined;
    }
  }
}

const maxAnchorBytes = 1_048_576;

function checkAnchor(anchor: Given): FileFindings {
  const problem = (message: string) => ({ problems: [anchor.problem(message)], warnings: [] });
  const path = shown(anchor.value);
  let text: string;
  try {
    const stat = statSync(anchor.value);
    if (!stat.isFile()) return problem(`names ${path}, which is not a file: name a file of PEM certificates`);
    if (stat.size > maxAnchorBytes)
      return problem(`names ${path}, which is larger than ${maxAnchorBytes} bytes`);
    text = readFileSync(anchor.value, 'latin1');
  } catch (error) {
    return problem(
      `names ${path}, which cannot be read: ${reason(error)}; correct the path, or let the service read it`,
    );
  }
  const blocks = text.match(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs) ?? [];
  if (blocks.length === 0) {
    return problem(
      `names ${path}, which holds no PEM certificate; "openssl x509 -inform der -in FILE -out NEW" makes one of a DER file`,
    );
  }
  const warnings: Problem[] = [];
  for (const [index, block] of blocks.entries()) {
    const certificate = parseCertificate(block);
    if (certificate === undefined) {
      return problem(`names ${path}, whose certificate number ${index + 1} cannot be read: fetch it again`);
    }
    if (certificate.validToDate.getTime() >= Date.now()) continue;
    const end = certificate.validToDate.toISOString().slice(0, 10);
    const subject = shown(certificate.subject?.split('\n').at(-1) ?? '');
    warnings.push(
      anchor.problem(
        `names ${path}, in which the certificate of ${subject} ended on ${end}: get its successor`,
      ),
    );
  }
  return { problems: [], warnings };
}

function parseCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/** The service runs without it, but makes no backups. What only root may look at is root's to judge. */
function passphraseWarning(given: Given): Problem | undefined {
  const path = shown(given.value);
  const none = 'no backup is made with it';
  try {
    const stat = statSync(given.value);
    if (!stat.isFile()) return given.problem(`names ${path}, which is not a file: ${none}`);
    if ((stat.mode & 0o027) === 0) return undefined;
    const mode = octal(stat.mode & 0o777);
    return given.problem(
      `names ${path}, which others may read or change (mode ${mode}), so ${none}: chmod 0640 ${path}`,
    );
  } catch (error) {
    if (systemCode(error) === 'EACCES') return undefined;
    return given.problem(
      `names ${path}, which cannot be read: ${reason(error)}, so ${none}; write the passphrase into it, or correct the path`,
    );
  }
}

/** A hook is code that the service runs: whoever can write it, or put another in its place, runs as the service. */
function programProblem(hook: Given, installed: boolean): Problem | undefined {
  const fault = programFault(hook.value, installed);
  return fault === undefined ? undefined : hook.problem(fault);
}

function programFault(file: string, installed: boolean): string | undefined {
  let program: string;
  try {
    program = realpathSync(file);
    const stat = statSync(program);
    if (!stat.isFile()) return `names ${shown(file)}, which is not a file: name a program`;
    const mode = stat.mode & 0o777;
    // Installed, the service is another user than root, who may be the one that asks.
    if ((mode & (installed ? 0o011 : 0o111)) === 0 || !mayExecute(program)) {
      return `names ${shown(file)}, which may not be executed (mode ${octal(mode)}): chmod 0755 ${shown(program)}`;
    }
    const owners = new Set(installed ? [0] : [0, process.geteuid?.() ?? 0]);
    // A link is as good as the folder that it lies in.
    for (const start of new Set([program, realpathSync(dirname(file))])) {
      for (let at = start; ; at = dirname(at)) {
        const fault = writableByOthers(at, owners);
        if (fault !== undefined) return `names ${shown(file)}, but ${fault}`;
        if (at === '/') break;
      }
    }
    return undefined;
  } catch (error) {
    return `names ${shown(file)}, which cannot be found: ${reason(error)}; the path of a program is wanted, not a command line`;
  }
}

function mayExecute(program: string): boolean {
  try {
    accessSync(program, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function writableByOthers(at: string, owners: ReadonlySet<number>): string | undefined {
  const { mode, uid, isFolder } = statOf(at);
  if (!owners.has(uid)) {
    return `${shown(at)} belongs to user ${uid}, who could change what is run: chown root ${shown(at)}`;
  }
  // In a sticky folder such as /tmp others can add files, but replace none.
  if ((mode & 0o022) === 0 || (isFolder && (mode & 0o1000) !== 0)) return undefined;
  return `others than its owner may write ${shown(at)} (mode ${octal(mode)}): chmod go-w ${shown(at)}`;
}

function statOf(path: string): { mode: number; uid: number; isFolder: boolean } {
  const stat = statSync(path);
  return { mode: stat.mode & 0o7777, uid: stat.uid, isFolder: stat.isDirectory() };
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** Why a file cannot be had, in the words of the system. */
function reason(error: unknown): string {
  return /^[A-Z]+: ([^,]*)/.exec(reasonOf(error))?.[1] ?? quoted(reasonOf(error));
}

/** A path or another text of the host's, as it may stand in a line and behind a command. */
function shown(text: string): string {
  if (!/^[\x20-\x7e]{1,300}$/.test(text)) return quoted(text);
  return shellWord(text);
}
