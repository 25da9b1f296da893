import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { parseEnvFile } from '../../src/config/env-file.ts';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem, quoted } from '../../src/config/problem.ts';
import { schema, settings } from '../../src/config/schema.ts';
import { files } from '../../src/config/setting.ts';
import { parseGeoipKeyFile, parseRedisPasswordFile } from '../../src/config/special-files.ts';
import { makeFolder } from '../support/secrets-folder.ts';

const seed = 20_261_122;

function load(contents: Record<string, string | Uint8Array>) {
  return loadConfig({
    flags: { 'secrets-dir': makeFolder(contents) },
    environment: {},
    workingFolder: '/srv',
  });
}

const envLine = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc
    .tuple(
      fc.constantFrom(...settings.map(([, { key }]) => key), 'export APP_WORKERS', 'APP_'),
      fc.constantFrom('=', ' = ', ':', '', '="', "='"),
      fc.string({ unit: 'grapheme', maxLength: 40 }),
    )
    .map((parts) => parts.join('')),
);

describe('whatever stands in the files', () => {
  it('random bytes are a problem or nothing, never an exception', () => {
    const bytes = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(fc.constantFrom(...files), bytes, (name, content) => {
        const loaded = load({ [name]: content });
        expect(loaded.config === undefined).toBe(loaded.problems.length > 0);
        for (const problem of loaded.problems) expect(formatProblem(problem)).not.toMatch(/\p{Cc}/u);
      }),
      { seed, numRuns: 1_000 },
    );
  });

  it('lines like those of a real file are read or refused, never lost', () => {
    fc.assert(
      fc.property(fc.array(envLine, { maxLength: 12 }), (lines) => {
        const text = lines.join('\n');
        const { assignments, problems } = parseEnvFile(text);
        const meant = text
          .replace(/^\uFEFF/, '')
          .split(/\r\n|\r|\n/)
          .map((line) => line.replace(/^[ \t]+|[ \t]+$/g, ''))
          .filter((line) => line !== '' && !line.startsWith('#'));
        expect(assignments.length + problems.length).toBe(meant.length);
      }),
      { seed, numRuns: 5_000 },
    );
  });

  it('the special files take anything without an exception', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (text) => {
        for (const parse of [parseRedisPasswordFile, parseGeoipKeyFile]) {
          parse(text);
          parse(`requirepass ${text}`);
        }
      }),
      { seed, numRuns: 5_000 },
    );
  });
});

describe('every kind of value', () => {
  it('reads or refuses any text, and reads back what it formats', () => {
    const field = fc.constantFrom(...settings.map(([name]) => name));
    fc.assert(
      fc.property(field, fc.string({ unit: 'binary', maxLength: 60 }), (name, text) => {
        const { kind } = schema[name];
        const value: unknown = kind.parse(text, '/srv');
        if (value !== undefined && !(value instanceof Object && 'found' in value)) {
          expect(kind.parse(kind.format(value as never), '/srv')).toEqual(value);
        }
      }),
      { seed, numRuns: 20_000 },
    );
  });
});

describe('secrets', () => {
  const secretSettings = settings.map(([, setting]) => setting).filter(({ secret }) => secret);
  const secret = fc
    .string({
      unit: fc.constantFrom(...Array.from('abXY01=:@/#"\'\\$ _-é\u0001')),
      minLength: 8,
      maxLength: 24,
    })
    .map((text) => `s3cr3t${text}s3cr3t`);
  const shapes = ['K=V', 'K="V', "K='V'x", 'K: V', 'K V', 'KX=V', 'K=a\nV', 'K=V\nK=V', 'V=K', 'V'];

  it('are in no problem and no warning, however wrong the line is', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...secretSettings),
        secret,
        fc.constantFrom(...shapes),
        (setting, text, shape) => {
          const line = shape.replaceAll('K', () => setting.key).replaceAll('V', () => text);
          const { problems, warnings } = load({ [setting.file]: line });
          const shown = JSON.stringify([problems, warnings, [...problems, ...warnings].map(formatProblem)]);
          expect(shown).not.toContain('s3cr3t');
        },
      ),
      { seed, numRuns: 2_000 },
    );
  });
});

describe('a quoted text', () => {
  it('is one printable line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(quoted(text)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
        expect(quoted(text).length).toBeLessThan(600);
      }),
      { seed, numRuns: 5_000 },
    );
  });
});
