import { Refusal } from './kind.ts';
import type { Surroundings } from './paths.ts';
import type { Problem } from './problem.ts';
import type { Config, Field } from './schema.ts';
import type { Setting } from './setting.ts';

/** Where a value came from. */
export type Origin =
  | { readonly kind: 'flag'; readonly name: string }
  | { readonly kind: 'environment' }
  | { readonly kind: 'file'; readonly path: string; readonly line: number }
  | { readonly kind: 'default' };

/** A value that passed its own check, with what messages about it need. */
export interface Value<T> {
  readonly field: Field;
  readonly setting: Setting<unknown>;
  readonly origin: Origin;
  /** As it was written; undefined where nothing was and there is no default. */
  readonly text: string | undefined;
  readonly value: T;
  /** A problem that points at where the value came from. */
  problem(message: string): Problem;
}

/** The values by field; one that was refused is missing. */
export type Values = { readonly [F in Field]?: Value<Config[F]> };

/** `flag --http-port`, `environment`, `/etc/appliance/secrets/app.env:3` or `default`. */
export function originText(origin: Origin): string {
  if (origin.kind === 'flag') return `flag --${origin.name}`;
  return origin.kind === 'file' ? `${origin.path}:${origin.line}` : origin.kind;
}

function place(origin: Origin): Pick<Problem, 'source' | 'line'> {
  return origin.kind === 'file' ? { source: origin.path, line: origin.line } : { source: originText(origin) };
}

/** A problem with a value of `setting`, wherever it came from. */
export function problemAt(setting: Setting<unknown>, origin: Origin, message: string): Problem {
  return { ...place(origin), key: setting.key, message };
}

/** Reads the text of one setting: its value, or everything that is wrong with it. */
export function readValue(
  field: Field,
  setting: Setting<unknown>,
  given: { readonly text: string; readonly origin: Origin } | undefined,
  surroundings: Surroundings,
): Value<unknown> | readonly Problem[] {
  const origin: Origin = given?.origin ?? { kind: 'default' };
  const text =
    given?.text ?? (typeof setting.default === 'function' ? setting.default(surroundings) : setting.default);
  const problem = (message: string): Problem => problemAt(setting, origin, message);
  if (text === undefined) return { field, setting, origin, text, value: undefined, problem };
  // A path in a file would otherwise mean another folder each time somebody starts elsewhere.
  const value = setting.kind.parse(text, origin.kind === 'file' ? undefined : surroundings.workingFolder);
  if (!(value instanceof Refusal)) return { field, setting, origin, text, value: deepFreeze(value), problem };
  return [value, ...value.others].map(({ found, why }, index) => ({
    ...problem(`is not right${why === undefined ? '' : ` (${why})`}`),
    ...(setting.secret ? {} : { found }),
    // once is enough
    ...(index === 0 ? { allowed: setting.kind.allowed } : {}),
  }));
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) Object.values(Object.freeze(value)).forEach(deepFreeze);
  return value;
}
