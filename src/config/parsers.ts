import { availableParallelism } from 'node:os';
import { isAbsolute, resolve } from 'node:path';

import { type Kind, Refusal } from './kind.ts';

/** One of a few words, letter case aside. */
export function choice<const W extends string>(...words: readonly W[]): Kind<W> {
  return {
    allowed: words.join(', '),
    offers: words,
    parse: (text) => words.find((word) => word === text.toLowerCase()) ?? new Refusal(text),
    format: String,
  };
}

/** A decimal whole number without sign, leading zeros or separators. */
export function wholeNumber(min: number, max: number, what = 'a whole number'): Kind<number> {
  return {
    allowed: `${what} from ${min} to ${max}`,
    parse(text) {
      if (!/^(0|[1-9]\d{0,15})$/.test(text)) return new Refusal(text);
      const value = Number(text);
      return value >= min && value <= max ? value : new Refusal(text);
    },
    format: String,
  };
}

/** `word` for `value`, else what `kind` takes. */
export function wordOr<const W, T>(word: string, value: W, kind: Kind<T>): Kind<T | W> {
  return {
    allowed: `${word}, or ${kind.allowed}`,
    offers: [word, ...(typeof kind.offers === 'object' ? kind.offers : [])],
    parse: (text, baseFolder) => (text.toLowerCase() === word ? value : kind.parse(text, baseFolder)),
    format: (given) => (given === value ? word : kind.format(given as T)),
  };
}

/** A list of entries with commas between them; repeated entries count once. */
export function listOf<T>(entry: Kind<T>, plural: string): Kind<readonly T[]> {
  return {
    allowed: `${plural} with commas between them, each ${entry.allowed}`,
    parse(text, baseFolder) {
      const values = new Map<string, T>();
      for (const piece of text.split(',').map((untrimmed) => untrimmed.trim())) {
        if (piece === '') return new Refusal(text, 'there is nothing between two commas or at an end');
        const value = entry.parse(piece, baseFolder);
        if (value instanceof Refusal) return value;
        values.set(entry.format(value), value);
      }
      return [...values.values()];
    },
    format: (values) => values.map((value) => entry.format(value)).join(','),
  };
}

/** Text of a given shape, kept as it is. */
export function pattern(shape: RegExp, allowed: string): Kind<string> {
  return { allowed, parse: (text) => (shape.test(text) ? text : new Refusal(text)), format: String };
}

/** `on` is true, `off` is false. */
export const onOff: Kind<boolean> = {
  allowed: 'on, off',
  offers: ['on', 'off'],
  parse: (text) => ({ on: true, off: false })[text.toLowerCase()] ?? new Refusal(text),
  format: (value) => (value ? 'on' : 'off'),
};

export const port = wholeNumber(1, 65_535, 'a port');

/** `auto` is one for each processor core that this process may use. */
export const workerCount: Kind<number> = {
  allowed: 'auto, or a whole number from 1 to 256',
  offers: ['auto'],
  parse: (text) => (text.toLowerCase() === 'auto' ? availableParallelism() : wholeNumber(1, 256).parse(text)),
  format: String,
};

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A length of time with its unit, as `90s`, `10m`, `12h` or `7d`; the value is milliseconds. */
export function duration(shortest: string, longest: string): Kind<number> {
  const msOf = (text: string): number => {
    const [, amount, unit] = /^([1-9]\d{0,8})([smhd])$/.exec(text) ?? [];
    return amount === undefined ? NaN : Number(amount) * unitMs[unit as keyof typeof unitMs];
  };
  return {
    allowed: `a number with s, m, h or d behind it, from ${shortest} to ${longest}`,
    parse(text) {
      const valueMs = msOf(text);
      return valueMs >= msOf(shortest) && valueMs <= msOf(longest) ? valueMs : new Refusal(text);
    },
    format(valueMs) {
      const unit = (['d', 'h', 'm'] as const).find((name) => valueMs % unitMs[name] === 0) ?? 's';
      return `${valueMs / unitMs[unit]}${unit}`;
    },
  };
}

/** Whole seconds; the value is milliseconds. */
export function seconds(min: number, max: number): Kind<number> {
  const count = wholeNumber(min, max, 'whole seconds');
  return {
    allowed: count.allowed,
    parse(text) {
      const value = count.parse(text);
      return value instanceof Refusal ? value : value * 1_000;
    },
    format: (valueMs) => String(valueMs / 1_000),
  };
}

/** A path of this host, made absolute. */
export const path: Kind<string> = {
  allowed: 'an absolute path',
  offers: 'path',
  parse(text, baseFolder) {
    if (text.startsWith('~')) return new Refusal(text, 'only a shell knows what ~ is');
    if (isAbsolute(text)) return resolve(text);
    return baseFolder === undefined ? new Refusal(text) : resolve(baseFolder, text);
  },
  format: String,
};

/** A program that is run as it is, without a shell between. */
export const programPath: Kind<string> = {
  ...path,
  allowed: 'the absolute path of a program, without arguments',
};

/** A command line for `/bin/sh -c`. */
export const command = pattern(/^\S(.{0,2046}\S)?$/u, 'a command line of at most 2048 characters');

/** A password or key: any printable text. */
export const secretText = pattern(/^[^\p{Cc}]{1,512}$/u, '1 to 512 printable characters');

/** A short name as it stands in a protocol: a profile, a key identifier, a role of a database. */
export const token = pattern(
  /^[A-Za-z0-9_][A-Za-z0-9_.:@+/=-]{0,254}$/,
  'letters, digits and _ . : @ + / = - with no space, at most 255',
);

/** An address for mail, as the `mailto:` contact of RFC 8555 §7.3 takes it. */
export const email = pattern(
  /^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$/,
  'one mail address, NAME@DOMAIN',
);

/** A MAC key as certificate authorities hand it out: base64url without padding (RFC 8555 §7.3.4). */
export const base64urlKey = pattern(
  /^[A-Za-z0-9_-]{16,512}$/,
  '16 to 512 letters, digits, _ and - (base64url)',
);

export interface GeoipAccount {
  readonly accountId: string;
  readonly licenceKey: string;
}

/** MaxMind's account number and licence key. */
export const geoipAccount: Kind<GeoipAccount> = {
  allowed: 'ACCOUNT:KEY on one line: digits, a colon, and 8 to 128 letters, digits and _',
  parse(text) {
    const [, accountId, licenceKey] = /^(\d{1,12}):([A-Za-z0-9_]{8,128})$/.exec(text) ?? [];
    return accountId && licenceKey ? { accountId, licenceKey } : new Refusal(text);
  },
  format: ({ accountId, licenceKey }) => `${accountId}:${licenceKey}`,
};
