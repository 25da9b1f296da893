import { userInfo } from 'node:os';

type Environment = Readonly<Record<string, string | undefined>>;

/** Who runs this, for the audit log: root is believed when it says whom it works for. */
export function systemUser(environment: Environment): string {
  const uid = process.geteuid?.();
  const { SUDO_USER: caller } = environment;
  if (uid === 0 && caller !== undefined && caller !== '' && caller !== 'root')
    return `root (via sudo from ${caller})`;
  try {
    return userInfo().username;
  } catch {
    // a number that no file gives a name
    return `user ${uid ?? ''}`.trim();
  }
}
