import { lookAtFiles, type OwnFile, writeFiles } from '../../own-files.ts';
import type { Look, Step } from '../plan.ts';

export interface ShellParts {
  readonly files: readonly OwnFile[];
  readonly record: string;
  readonly replaceEdited: boolean;
}

/** Commands complete by TAB in bash, zsh and fish, and `man appliance` explains them. */
export function shellsStep({ files, record, replaceEdited }: ShellParts): Step {
  const own = { record, files, unknownIs: 'edited' } as const;
  return {
    name: 'shells',
    does: 'place completion for bash, zsh and fish, and the manual',
    async look(): Promise<Look> {
      const found = await lookAtFiles(own);
      const edited = found.filter(({ state }) => state === 'edited');
      const due = found.filter(({ state }) => state !== 'same' && (state !== 'edited' || replaceEdited));
      // what differs in a page of a thousand lines tells nobody anything
      const details = edited.map(
        ({ path }) => `${path} ${replaceEdited ? 'loses your edits' : 'stays as you edited it'}`,
      );
      if (due.length > 0) return { state: 'to-do', words: due.map(({ path }) => path).join(', '), details };
      return edited.length === 0
        ? { state: 'done', words: 'in place' }
        : { state: 'kept', words: 'in place, as you edited it', details };
    },
    act: async () => void (await writeFiles(own, { replaceEdited })),
  };
}
