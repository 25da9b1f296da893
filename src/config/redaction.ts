import { assignment } from '../core/assignment.ts';
import { settings } from './schema.ts';
import { type FileName, files } from './setting.ts';
import { parserOf } from './secrets-folder.ts';

/** Shorter ones would be found in anything. */
const shortestSecret = 4;

/**
 * What anybody may read of the files of a secrets folder, by name: their keys that are no secrets, one a line, without comments,
 * without what cannot be read and without unknown keys, any of which may be a secret that somebody once put there. A value
 * that repeats a secret goes too. Files of which nothing is left are not in the result.
 */
export function withoutSecrets(texts: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const parsed = files.flatMap((name) => {
    const text = texts.get(name);
    return text === undefined ? [] : [{ name, assignments: parserOf(name)(text).assignments }];
  });
  const isPublic = (name: FileName, key: string): boolean =>
    settings.some(([, setting]) => setting.file === name && setting.key === key && !setting.secret);
  const secrets = parsed
    .flatMap(({ name, assignments }) => assignments.filter(({ key }) => !isPublic(name, key)))
    .map(({ value }) => value)
    .filter((value) => value.length >= shortestSecret);
  const left = parsed.flatMap(({ name, assignments }): [string, string][] => {
    const lines = assignments
      .filter(({ key, value }) => isPublic(name, key) && !secrets.some((secret) => value.includes(secret)))
      .map(({ key, value }) => `${assignment(key, value)}\n`);
    return lines.length === 0 ? [] : [[name, lines.join('')]];
  });
  return new Map(left);
}
