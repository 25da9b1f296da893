import { lookAtFiles } from '../../own-files.ts';
import { composeFiles, haveWrongModes, unpackComposeFiles } from '../../stack/compose-files.ts';
import type { Container } from '../../stack/compose.ts';
import type { Look, Step } from '../plan.ts';

export interface ContainerParts {
  readonly composeFolder: string;
  readonly replaceEdited: boolean;
  /** The services that run in containers of this host, by the configuration as it is. */
  readonly wanted: () => readonly string[];
  /** As they are now; rejects where Docker does not answer. */
  readonly containers: () => Promise<readonly Container[]>;
  /** Starts them and waits until they are healthy. */
  readonly up: (progress: (words: string) => void) => Promise<void>;
}

/** Database and cache. */
export function containersStep(parts: ContainerParts): Step {
  const { composeFolder, replaceEdited } = parts;
  return {
    name: 'containers',
    does: 'start PostgreSQL and Redis in Docker, without any network',
    async look({ willAct }): Promise<Look> {
      const found = await lookAtFiles(composeFiles(composeFolder));
      const edited = found.filter(({ state }) => state === 'edited');
      const details = edited.flatMap(({ path, difference }) => [
        `${path} ${replaceEdited ? 'loses your edits' : 'stays as you edited it'}:`,
        ...difference.map((line) => `  ${line}`),
      ]);
      if (willAct('docker') || willAct('images') || willAct('secrets'))
        return { state: 'to-do', words: 'not there yet', details };
      if (found.some(({ state }) => state === 'absent' || state === 'older'))
        return { state: 'to-do', words: 'to be made anew, of this release', details };
      if (edited.length > 0 && replaceEdited) return { state: 'to-do', words: 'to be made anew', details };
      if (await haveWrongModes(composeFolder))
        return { state: 'to-do', words: 'the modes of their folders to be put right', details };
      const containers = await parts.containers().catch(() => []);
      const down = parts
        .wanted()
        .filter(
          (name) => !containers.some(({ service, health }) => service === name && health === 'healthy'),
        );
      if (down.length > 0)
        return { state: 'to-do', words: `${down.join(' and ')} not running well`, details };
      return edited.length > 0
        ? { state: 'kept', words: 'running, with the files as you edited them', details }
        : { state: 'done', words: 'running and healthy' };
    },
    async act({ progress }) {
      await unpackComposeFiles(composeFolder, { replaceEdited });
      await parts.up(progress);
    },
  };
}
