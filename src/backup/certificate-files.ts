import { join } from 'node:path';
import { filesBelow, type FoundFiles } from './host-files.ts';

/** Names of files of the certificate store that hold no key, as anybody on the host may read them. */
const withoutKeys = ['certificate.pem', 'certificate.json', 'renewal.json', 'account.json'];
/** Made anew where it is missing, and nobody trusts it. */
const standIn = 'stand-in/';

/**
 * What the certificate store holds, without private keys unless `secrets`. No lock is needed: a save of the store can be cut off
 * at any moment and leaves one matching pair, so whatever is true of one moment can be kept. Never rejects.
 */
export async function certificateFiles(dataFolder: string, secrets: boolean): Promise<FoundFiles> {
  const folder = join(dataFolder, 'certificates');
  return filesBelow(folder, 'certificates', (path) => {
    if (path.endsWith('/')) return path !== standIn;
    return secrets || withoutKeys.includes(path.split('/').at(-1)!);
  });
}
