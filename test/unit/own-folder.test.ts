import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { configurationStep } from '../../src/host/install/steps/configuration.ts';
import { hasWrongMode } from '../../src/host/install/own-folder.ts';
import { pendingStart } from '../../src/host/install/pending.ts';
import { settleSecretsFolder } from '../../src/host/stack/secrets-files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'own-folder-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a folder of ours', () => {
  it.each([
    [0o755, false],
    [0o700, true],
    [0o750, true],
    [0o775, true],
    [0o757, true],
  ])('with mode %o is one to put right: %j', async (mode, wrong) => {
    chmodSync(folder, mode);
    expect(await hasWrongMode(folder)).toBe(wrong);
  });

  it('that is not there has nothing to put right', async () => {
    expect(await hasWrongMode(join(folder, 'none'))).toBe(false);
  });

  it('is seen by the look of an install, when an earlier one made it for root alone', async () => {
    const step = configurationStep({
      folder: join(folder, 'secrets'),
      plan: () => ({ values: [], changes: [], kept: [] }),
      anchor: undefined,
      withdrawn: () => [],
      pending: pendingStart(join(folder, 'pending')),
    });
    const before = { willAct: () => false };
    chmodSync(folder, 0o755);
    expect(await step.look(before)).toMatchObject({ state: 'done' });
    chmodSync(folder, 0o700);
    expect(await step.look(before)).toMatchObject({
      state: 'to-do',
      details: [expect.stringContaining(folder)],
    });
  });
});

describe.runIf(process.geteuid?.() === 0)('a folder of secrets that root prepared for an install', () => {
  it('becomes one that the service reads, with the files of ours that were root’s alone', async () => {
    const secrets = join(folder, 'secrets');
    mkdirSync(secrets, { mode: 0o700 });
    for (const name of ['acme.env', 'app.env', 'notes.txt'])
      writeFileSync(join(secrets, name), '', { mode: 0o600 });
    chownSync(join(secrets, 'app.env'), 61234, 61234);
    const step = configurationStep({
      folder: secrets,
      plan: () => ({ values: [], changes: [], kept: [] }),
      anchor: undefined,
      withdrawn: () => [],
      pending: pendingStart(join(folder, 'pending')),
    });
    chmodSync(folder, 0o755);
    const before = { willAct: () => false };
    expect(await step.look(before)).toMatchObject({
      state: 'to-do',
      details: [`${secrets}: so that the service can read it`],
    });

    const group = 61111;
    expect(await settleSecretsFolder(secrets, true, group)).toEqual({ uid: 0, gid: group });
    const rights = ['', 'acme.env', 'app.env', 'notes.txt'].map((name) => {
      const { uid, gid, mode } = statSync(join(secrets, name));
      return [name, uid, gid, mode & 0o777];
    });
    expect(rights).toEqual([
      ['', 0, group, 0o750],
      ['acme.env', 0, group, 0o640],
      ['app.env', 61234, 61234, 0o600],
      ['notes.txt', 0, 0, 0o600],
    ]);
    expect(await step.look(before)).toMatchObject({ state: 'done' });
  });
});
