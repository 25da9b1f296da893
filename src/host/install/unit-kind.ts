import { readFile, readlink } from 'node:fs/promises';
import { lookAt } from './removal.ts';

/** As the first word of a command, whatever signs are before it, or after `env` and the like. */
const runsUs = /[=\s@:+!-]\/usr\/local\/bin\/appliance(\s|$)/;

/**
 * Whose a unit of our name is, by what it runs; a timer says nothing of that and counts as ours. A link to nothing is how systemd masks a unit; what leads
 * elsewhere is somebody else's. Rejects with `store-unreadable`.
 */
export async function unitKind(path: string): Promise<'ours' | 'foreign' | 'absent'> {
  const found = await lookAt(path);
  if (found === undefined) return 'absent';
  if (found.isSymbolicLink()) return (await readlink(path)) === '/dev/null' ? 'ours' : 'foreign';
  if (!found.isFile()) return 'foreign';
  if (path.endsWith('.timer')) return 'ours';
  const commands = (await readFile(path, 'utf8')).split('\n').filter((line) => line.startsWith('Exec'));
  return commands.some((line) => runsUs.test(line)) ? 'ours' : 'foreign';
}
