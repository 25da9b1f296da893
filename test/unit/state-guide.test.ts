import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { parseEnvFile } from '../../src/config/env-file.ts';
import { loadConfig } from '../../src/config/load.ts';
import { settings } from '../../src/config/schema.ts';
import { addStateMetrics } from '../../src/supervisor/state-metrics.ts';
import { makeFolder } from '../support/secrets-folder.ts';

const guide = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'state.md'), 'utf8');

/** Keys of app.env that are about what is kept; the test of the host runs the guide's commands. */
const ofState = /^(APP_(DATA_DIR|VISITS|KEEP_ADDRESSES|SESSIONS|ALERT_COMMAND)|BACKUP_\w+)$/;

describe('the guide to state and backups', () => {
  const keys = settings
    .filter(([, { file, key }]) => ofState.test(key) || /^(postgres|redis)\.env$/.test(file ?? ''))
    .map(([, { key }]) => key);

  it.each(keys)('names %s', (key) => {
    expect(guide).toMatch(new RegExp(String.raw`\b${key}\b`));
  });

  it('knows of enough of them', () => {
    expect(keys.length).toBeGreaterThan(20);
    const all = new Set(settings.map(([, { key }]) => key));
    const unknown = [...guide.matchAll(/\b(APP|POSTGRES|REDIS|BACKUP)_[A-Z_]+[A-Z]\b/g)]
      .map(([key]) => key)
      // what images and the copy command find in their environment
      .filter((key) => !all.has(key) && !['POSTGRES_IMAGE', 'REDIS_IMAGE', 'BACKUP_FILE'].includes(key));
    expect(unknown).toEqual([]);
  });

  it('has files of settings that are right as they stand', () => {
    const files = [...guide.matchAll(/^```ini\n# (\w+\.env)\n(.*?)^```/gms)];
    expect(files.map(([, name]) => name)).toEqual(['postgres.env', 'redis.env', 'app.env']);
    const folder = makeFolder(Object.fromEntries(files.map(([, name, text]) => [name!, text!])));
    const { problems } = loadConfig({
      flags: { 'secrets-dir': folder },
      environment: {},
      workingFolder: folder,
    });
    // the files that they name are not here
    expect(problems.filter(({ message }) => !/^names .*\.pem, which cannot be read/.test(message))).toEqual(
      [],
    );
    for (const [, , text] of files) expect(parseEnvFile(text!).problems).toEqual([]);
  });

  it('names each metric of the state, and no other', async () => {
    const registry = new Registry();
    addStateMetrics(registry, () => undefined);
    const known = (await registry.getMetricsAsJSON()).map(({ name }) => name);
    // a schema that a restore makes has such a name too
    const named = [...guide.matchAll(/\bappliance_(?!newer_)\w+/g)].map(([name]) => name);
    expect(named.toSorted()).toEqual(known.toSorted());
  });
});
