import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { exampleFiles, exampleFolder } from '../../build/secrets-example.ts';
import { parseEnvFile } from '../../src/config/env-file.ts';
import { loadConfig } from '../../src/config/load.ts';
import { settings } from '../../src/config/schema.ts';
import { files } from '../../src/config/setting.ts';
import { makeFolder } from '../support/secrets-folder.ts';

const committed = new Map(
  readdirSync(exampleFolder).map((name) => [name, readFileSync(join(exampleFolder, name), 'utf8')]),
);
const uncommented = (text: string): string => text.replace(/^#(?! )/gm, '');

function load(contents: Record<string, string>) {
  const flags = { 'secrets-dir': makeFolder(contents) };
  return loadConfig({ flags, environment: {}, workingFolder: '/srv' });
}

describe('the example files', () => {
  it('are what the table of keys makes of them (else: node build/secrets-example.ts)', () => {
    expect(Object.fromEntries(committed)).toEqual(Object.fromEntries(exampleFiles()));
  });

  it.each(files.filter((name) => name.endsWith('.env')))(
    '%s has every key of its file and no other',
    (name) => {
      const { assignments, problems } = parseEnvFile(uncommented(committed.get(name) ?? ''));
      expect(problems).toEqual([]);
      expect(assignments.map(({ key }) => key)).toEqual(
        settings.filter(([, setting]) => setting.file === name).map(([, setting]) => setting.key),
      );
    },
  );

  it('say nothing as they are', () => {
    const { values, problems, warnings } = load(Object.fromEntries(committed));
    expect([problems, warnings]).toEqual([[], []]);
    expect(values.filter(({ origin }) => origin.kind !== 'default')).toEqual([]);
  });

  it('load without a problem when every line is uncommented, and say what the defaults say', () => {
    const contents = files.map((name) => [name, uncommented(committed.get(name) ?? '')] as const);
    const { values, problems } = load(Object.fromEntries(contents));
    // files of the host that is configured, not of this one
    const named = [
      'POSTGRES_CA_FILE',
      'REDIS_CA_FILE',
      'CERT_CA_FILE',
      'CERT_FALLBACK_CA_FILE',
      'CERT_HOOK',
      'CERT_DNS_HOOK',
    ];
    expect(problems.filter(({ key }) => !named.includes(key ?? ''))).toEqual([]);
    expect(values.map(({ setting }) => setting.key)).toEqual(settings.map(([, { key }]) => key));
    for (const { setting, origin, text } of values) {
      expect(origin).toMatchObject({ kind: 'file' });
      if (typeof setting.default === 'string') expect(text).toBe(setting.default);
    }
  });

  it('mark what has no effect yet', () => {
    for (const [, { file, key, effective }] of settings) {
      const sections = (committed.get(file) ?? '').split('\n\n');
      const own =
        sections.find((section) => new RegExp(`^#(${key}=|${key} |\\d+:)`, 'm').test(section)) ?? '';
      expect([key, /\(from\s(# )?a\s(# )?later\s(# )?release\)/.test(own)]).toEqual([key, !effective]);
    }
  });
});
