import { readFile } from 'node:fs/promises';

/** One line of passwd(5). */
export interface User {
  readonly name: string;
  readonly uid: number;
  readonly home: string;
}

/** The users and groups of the host's own files, below `root`. Where there are no files there is nobody. */
export async function readAccounts(root = ''): Promise<{
  readonly users: readonly User[];
  readonly groups: readonly { readonly name: string; readonly members: string }[];
}> {
  const linesOf = async (file: string) =>
    (await readFile(root + file, 'utf8').catch(() => '')).split('\n').map((line) => line.split(':'));
  const users = (await linesOf('/etc/passwd')).map(([name = '', , uid, , , home = '']) => ({
    name,
    uid: Number(uid ?? Number.NaN),
    home,
  }));
  const groups = (await linesOf('/etc/group')).map(([name = '', , , members = '']) => ({ name, members }));
  return { users, groups };
}
