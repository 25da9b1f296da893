import { constants } from 'node:fs';
import { access, readFile, writeFile } from 'node:fs/promises';
import { reasonOf } from '../../../core/errors.ts';
import { lookAtFiles, type OwnFiles, writeFiles } from '../../own-files.ts';
import type { Look, Step } from '../plan.ts';

export const sysctlFile = '/etc/sysctl.d/60-appliance.conf';
const setting = '/proc/sys/net/ipv4/tcp_migrate_req';

const text = `# Written by "appliance install". Edit it and it stays as you edited it.
# A new connection that waits at a listener which closes (a new certificate, a new configuration) moves to the next one.
net.ipv4.tcp_migrate_req=1
`;

export interface KernelParts {
  readonly record: string;
  readonly replaceEdited: boolean;
  readonly file?: string;
}

/** The kernel hands waiting connections from a listener that closes to the one that takes over. */
export function kernelStep({ record, replaceEdited, file = sysctlFile }: KernelParts): Step {
  const own: OwnFiles = { record, files: [{ path: file, text }], unknownIs: 'edited' };
  return {
    name: 'kernel',
    does: `let no waiting connection fall when a listener closes (${file})`,
    async look(): Promise<Look> {
      const [found] = await lookAtFiles(own);
      if (found?.state === 'edited' && !replaceEdited)
        return { state: 'kept', words: `${file} stays as you edited it`, details: found.difference };
      if (found?.state !== 'same') return { state: 'to-do', words: 'not set yet' };
      const now = await settingNow();
      if (now === undefined) return { state: 'done', words: 'written; this kernel does not have it' };
      if (now === '1') return { state: 'done', words: 'set' };
      const mayWrite = await access(setting, constants.W_OK).then(
        () => true,
        () => false,
      );
      return mayWrite
        ? { state: 'to-do', words: 'written, and not in effect' }
        : { state: 'done', words: 'written; the kernel refuses it here, as in a container' };
    },
    async act({ warn }) {
      await writeFiles(own, { replaceEdited });
      if ((await settingNow()) === undefined) {
        warn(
          'this kernel has no net.ipv4.tcp_migrate_req: a change of certificate may cost a few new connections',
        );
        return;
      }
      await writeFile(setting, '1\n').catch((error: unknown) => {
        warn(`the kernel refuses net.ipv4.tcp_migrate_req (${reasonOf(error)}): the service runs without it`);
      });
    },
  };
}

async function settingNow(): Promise<string | undefined> {
  return readFile(setting, 'utf8').then(
    (content) => content.trim(),
    () => undefined,
  );
}
