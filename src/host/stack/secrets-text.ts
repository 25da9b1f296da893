import { assignment } from '../../core/assignment.ts';

/** The line that Redis includes, quoted as it and `config/special-files.ts` read it. */
export function requirepassLine(password: string): string {
  return `requirepass "${password.replace(/["\\]/g, String.raw`\$&`)}"`;
}

/** The text of an environment file with the key set, on the line where it stood, or on one more. */
export function withAssignment(text: string, key: string, value: string): string {
  return withLine(text, new RegExp(lineOf(key), 'm'), assignment(key, value));
}

/** The text of an environment file without the key. */
export function withoutAssignment(text: string, key: string): string {
  return text.replace(new RegExp(`${lineOf(key)}\\n?`, 'gm'), '');
}

function lineOf(key: string): string {
  return `^[ \\t]*(?:export[ \\t]+)?${key}[ \\t]*=.*$`;
}

/** The text of `redis.password.conf` with that password. */
export function withRequirepass(text: string, password: string): string {
  return withLine(text, /^[ \t]*requirepass(?:[ \t].*)?$/im, requirepassLine(password));
}

function withLine(text: string, pattern: RegExp, line: string): string {
  // a function: in a plain replacement $ is special
  if (pattern.test(text)) return text.replace(pattern, () => line);
  const separator = text === '' || text.endsWith('\n') ? '' : '\n';
  return `${text}${separator}${line}\n`;
}
