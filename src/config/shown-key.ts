import { nearest } from '../core/nearest.ts';
import type { Assignment } from './env-file.ts';
import { isVariable } from './flags.ts';
import { settings } from './schema.ts';
import type { SecretsFile } from './secrets-folder.ts';

/** The keys of all settings that are `KEY=value` in a file. */
export const variableKeys = settings
  .filter(([, setting]) => isVariable(setting))
  .map(([, setting]) => setting.key);
const secretKeys = settings.filter(([, setting]) => setting.secret).map(([, setting]) => setting.key);
const longestShown = 64;

/**
 * Gives the key of a line for a message, or nothing where it may be a piece of a secret: a password on a line of its own, or the
 * rest of one that was broken in two, can look like a key. Variables with a _ are named, and so is what is like a key of ours;
 * plain words only where no secret stands above them, and neither nothing, nor base64's =, nor one of our keys behind them.
 */
export function keyAsShown({ assignments, problems }: SecretsFile) {
  const marks = [...assignments, ...problems]
    .flatMap(({ key = '', line }) => {
      const secret = variableKeys.includes(key)
        ? secretKeys.includes(key)
        : secretKeys.includes(nearest(key, variableKeys) ?? '') || /pass|secret|token|key|hmac/i.test(key);
      return secret || variableKeys.includes(key) ? [{ line, secret }] : [];
    })
    .sort((a, b) => b.line - a.line);
  return ({ key, line, value }: Omit<Assignment, 'value'> & { value?: string }): { key?: string } => {
    const isVariableName =
      /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/.test(key) || nearest(key, variableKeys) !== undefined;
    const isWord = /^(?:[A-Z][A-Z0-9_]*|[a-z_]+)$/.test(key);
    const behindSecret = marks.find((mark) => mark.line < line)?.secret === true;
    const besideWord = value !== undefined && !/^=*$/.test(value) && !variableKeys.includes(value);
    if (!isVariableName && !(isWord && !behindSecret && besideWord)) return {};
    return { key: key.length > longestShown ? `${key.slice(0, longestShown)}…` : key };
  };
}
