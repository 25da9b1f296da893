import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeFileAtomically } from '../../core/atomic-file.ts';
import { newPassword } from '../../core/password.ts';
import { readTextFile } from '../../core/text-file.ts';
import { settleFolder } from './compose-files.ts';
import { requirepassLine } from './secrets-text.ts';
import { scramVerifier } from './scram-verifier.ts';
import { containerUser, type StackLayout } from './stack-layout.ts';
import type { StackServices } from './stack-services.ts';

const root = { uid: 0, gid: 0 };
const folderMode = 0o500;
const fileMode = 0o400;

/** Where the Redis container finds its password. */
function redisPasswordFile({ secretsFolder }: StackLayout): string {
  return join(secretsFolder, 'redis', 'redis.password.conf');
}

/**
 * Makes for each container the folder with what it alone may read, and the one of its socket. Nobody but root enters
 * the folder above the first, nobody but root and the owner's group the folder above the second, so the number of the
 * containers' user may be another user's on this host. Says whether Redis got another password than it had. Root only.
 */
export async function writeContainerSecrets(
  layout: StackLayout,
  services: StackServices,
  dataFolder: string,
): Promise<{ readonly redisChanged: boolean }> {
  const { gid } = await stat(dataFolder);
  await settleFolder(layout.secretsFolder, 0o700, root);
  await settleFolder(layout.socketsFolder, 0o750, { uid: 0, gid });
  let redisChanged = false;
  if (services.postgres !== undefined) {
    const file = join(layout.secretsFolder, 'postgres', 'superuser.verifier');
    await settleFolder(dirname(file), folderMode, containerUser);
    await settleFolder(layout.postgresHost, 0o755, containerUser);
    if ((await readTextFile(file)).text === undefined) {
      const unknown = scramVerifier(newPassword());
      await writeFileAtomically(file, `${unknown}\n`, fileMode, containerUser);
    }
  }
  if (services.redis !== undefined) {
    const file = redisPasswordFile(layout);
    await settleFolder(dirname(file), folderMode, containerUser);
    await settleFolder(dirname(layout.redisSocket), 0o755, containerUser);
    redisChanged = await writeRedisPassword(layout, services.redis.password);
  }
  return { redisChanged };
}

/** Says whether it was another one before. */
export async function writeRedisPassword(layout: StackLayout, password: string): Promise<boolean> {
  const file = redisPasswordFile(layout);
  const line = `${requirepassLine(password)}\n`;
  if ((await readTextFile(file)).text === line) return false;
  await writeFileAtomically(file, line, fileMode, containerUser);
  return true;
}
