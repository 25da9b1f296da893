import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { exitCodes, Failure } from '../../../core/errors.ts';
import {
  type FoundFile,
  knowsFile,
  lookAtFiles,
  type OwnFiles,
  writeFiles,
  wroteFile,
} from '../../own-files.ts';
import type { PendingStart } from '../pending.ts';
import type { Look, Step } from '../plan.ts';
import { systemd } from '../systemd.ts';
import { unitKind } from '../unit-kind.ts';
import { serviceUnit, type UnitFile } from '../units.ts';

export interface UnitParts {
  readonly files: readonly UnitFile[];
  /** Paths of units that this host has no use for any more. */
  readonly unwanted: readonly string[];
  /** Those that come up with the host, by name. */
  readonly enabled: readonly string[];
  readonly record: string;
  readonly replaceEdited: boolean;
  readonly pending: PendingStart;
}

/** The unit files, read by systemd and enabled. */
export function unitsStep(parts: UnitParts): Step {
  const { files, enabled, record, replaceEdited, pending } = parts;
  const own: OwnFiles = { record, files, unknownIs: 'edited' };
  const names = files.map(({ name }) => name);
  const isDue = ({ state }: FoundFile) => state !== 'same' && (state !== 'edited' || replaceEdited);
  /** What somebody else put there is left alone. */
  const leftOver = async (): Promise<readonly string[]> => {
    const found: string[] = [];
    for (const path of parts.unwanted) if (await wroteFile(record, path)) found.push(path);
    return found;
  };
  return {
    name: 'units',
    does: `write and enable ${names.join(', ')}`,
    async look(): Promise<Look> {
      const masked = await systemd.masked(enabled);
      if (masked.length > 0) throw isMasked(masked);
      const found = await lookAtFiles(own);
      await refuseForeign(found, record);
      const edited = found.filter(({ state }) => state === 'edited');
      const details = edited.flatMap(({ path, difference }) => [
        `${path} ${replaceEdited ? 'loses your edits' : 'stays as you edited it'}:`,
        ...difference.map((line) => `  ${line}`),
      ]);
      const due = found.filter(isDue);
      if (due.length > 0)
        return { state: 'to-do', words: `${due.length} of ${files.length} to write`, details };
      const old = await leftOver();
      if (old.length > 0) return { state: 'to-do', words: `${old.join(', ')} to be removed`, details };
      if (!(await systemd.areEnabled(enabled))) return { state: 'to-do', words: 'not enabled', details };
      if (await systemd.needsReload(names))
        return { state: 'to-do', words: 'systemd has older ones', details };
      return edited.length > 0
        ? { state: 'kept', words: 'as you edited them', details }
        : { state: 'done', words: 'written and enabled' };
    },
    async act({ progress }) {
      const service = (await lookAtFiles(own)).filter(({ path }) => path.endsWith(`/${serviceUnit}`));
      if (service.some(isDue) || (await systemd.needsReload([serviceUnit]))) await pending.need('restart');
      await writeFiles(own, { replaceEdited });
      for (const path of await leftOver()) {
        progress(`${path} is not needed any more`);
        await systemd.disable(path.slice(path.lastIndexOf('/') + 1));
        await rm(path, { force: true });
      }
      await systemd.readUnits();
      await systemd.enable(enabled);
      const timers = enabled.filter((name) => name.endsWith('.timer'));
      // one that runs goes by its new time
      if (timers.length > 0) await systemd.restart(timers);
    },
  };
}

/** What we never wrote and what does not run us is no edit of ours: nothing is started by it. */
async function refuseForeign(found: readonly FoundFile[], record: string): Promise<void> {
  const foreign: string[] = [];
  for (const { path, state } of found) {
    if (state !== 'edited' || (await knowsFile(record, path))) continue;
    if ((await unitKind(path)) === 'foreign') foreign.push(path);
  }
  if (foreign.length === 0) return;
  const names = foreign.map((path) => basename(path)).join(' ');
  throw new Failure(
    `${foreign.join(' and ')}: somebody else's unit of our name, which does not run the appliance`,
    {
      code: 'unit-not-ours',
      exitCode: exitCodes.checkFailed,
      remedy: `look at what it is (systemctl cat ${names}); give it another name, or end it and move it away: sudo systemctl disable --now ${names}; sudo mv ${foreign.join(' ')} /root/`,
    },
  );
}

function isMasked(units: readonly string[]): Failure {
  return new Failure(`somebody masked ${units.join(', ')}: systemd never starts it`, {
    code: 'unit-masked',
    exitCode: exitCodes.checkFailed,
    remedy: `sudo systemctl unmask ${units.join(' ')}`,
  });
}
