import { dirname, join } from 'node:path';
import type { PlannedValue } from '../../../config/secrets-plan.ts';
import type { SettingsPlan, WithdrawnLine } from '../../../config/install-settings.ts';
import { countText } from '../../../core/count-text.ts';
import { writeFileAtomically } from '../../../core/atomic-file.ts';
import { settleFolder } from '../../stack/compose-files.ts';
import {
  isRootsOnly,
  lockSecrets,
  removeSecrets,
  settleSecretsFolder,
  writeSecrets,
} from '../../stack/secrets-files.ts';
import { hasWrongMode, openFolderMode } from '../own-folder.ts';
import { haveSameContent } from '../same-content.ts';
import type { PendingStart } from '../pending.ts';
import type { Step } from '../plan.ts';

export interface ConfigurationParts {
  /** `/etc/appliance/secrets`. */
  readonly folder: string;
  /** What is to be written, by what is there now. */
  readonly plan: () => SettingsPlan;
  /** The trust anchor of a private authority, which goes into the folder under that name. */
  readonly anchor: { readonly name: string; readonly pem: string } | undefined;
  /** Lines that are taken out, as they are there now. */
  readonly withdrawn: () => readonly WithdrawnLine[];
  readonly pending: PendingStart;
}

/** `app.env` and `acme.env`. */
export function configurationStep({ folder, plan, anchor, withdrawn, pending }: ConfigurationParts): Step {
  const anchorFile = anchor === undefined ? undefined : join(folder, anchor.name);
  const hasAnchor = async () =>
    anchor === undefined || (await haveSameContent(anchorFile ?? '', Buffer.from(anchor.pem)));
  const above = dirname(folder);
  return {
    name: 'configuration',
    does: `write app.env and acme.env to ${folder}`,
    async look() {
      const { changes, kept } = plan();
      const copies = (await hasAnchor()) ? [] : [`${anchor?.name}: the certificate of the authority`];
      const closed = [
        ...((await hasWrongMode(above)) ? [`${above}: so that the service can enter it`] : []),
        ...((await isRootsOnly(folder)) ? [`${folder}: so that the service can read it`] : []),
      ];
      const gone = withdrawn().map(({ file, key, value }) => `${file}: ${key} is taken out, was ${value}`);
      const due = [...closed, ...changes, ...copies, ...gone];
      const stays = kept.map((line) => `${line}: kept`);
      if (due.length === 0) return { state: 'done', words: 'nothing is missing', details: stays };
      return { state: 'to-do', words: countText(due.length, 'line'), details: [...due, ...stays] };
    },
    async act() {
      const gone = withdrawn();
      await pending.need(gone.length > 0 ? 'restart' : 'reload');
      if (await hasWrongMode(above)) await settleFolder(above, openFolderMode, { uid: 0, gid: 0 });
      const owner = await settleSecretsFolder(folder, true);
      const lock = await lockSecrets(folder, 'appliance install');
      try {
        // first what the lines name
        if (anchor !== undefined && anchorFile !== undefined && !(await hasAnchor()))
          await writeFileAtomically(anchorFile, anchor.pem, 0o640, { uid: 0, gid: owner.gid });
        await writeSecrets(folder, plan().values, owner);
        await removeSecrets(folder, gone);
      } finally {
        await lock.release();
      }
    },
  };
}

/** The passwords for the containers. */
export function secretsStep(
  folder: string,
  plan: () => { readonly values: readonly PlannedValue[] },
  pending: PendingStart,
): Step {
  return {
    name: 'secrets',
    does: 'make passwords for the database and the cache',
    look() {
      const missing = plan().values;
      const details = missing.map(({ file, key }) => `${file}: ${key}`);
      return Promise.resolve(
        missing.length === 0
          ? { state: 'done', words: 'they are there' }
          : { state: 'to-do', words: `${missing.length} are missing`, details },
      );
    },
    async act() {
      await pending.need('reload');
      const owner = await settleSecretsFolder(folder, true);
      const lock = await lockSecrets(folder, 'appliance install');
      try {
        await writeSecrets(folder, plan().values, owner);
      } finally {
        await lock.release();
      }
    },
  };
}
