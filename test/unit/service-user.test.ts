import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findServiceUser, isUnsettled } from '../../src/host/install/service-user.ts';
import { userStep } from '../../src/host/install/steps/user.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'service-user-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const isRoot = process.geteuid?.() === 0;

describe('the folder of the data', () => {
  it('that is not there is to be made', async () => {
    expect(await isUnsettled(join(folder, 'none'))).toBe(true);
  });

  it.runIf(isRoot)('may be a disk of its own, which holds nothing but what is for fsck', async () => {
    mkdirSync(join(folder, 'lost+found'));
    expect(await isUnsettled(folder)).toBe(true);
    writeFileSync(join(folder, 'photo'), '');
    expect(await isUnsettled(folder)).toBe(false);
  });

  it.runIf(isRoot)('of a number comes with advice that can be followed from its start', async () => {
    chownSync(folder, 61234, 61234);
    const hasUser = (await findServiceUser()) !== undefined;
    const useradd = hasUser ? '' : 'sudo useradd --system --shell /usr/sbin/nologin appliance && ';
    await expect(userStep(folder).look({ willAct: () => false })).rejects.toMatchObject({
      code: 'folder-not-ours',
      remedy: `look at what is there; give it to the service (${useradd}sudo chown -R appliance: ${folder}), or move it away`,
    });
  });
});
