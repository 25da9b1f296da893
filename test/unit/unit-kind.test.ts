import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pendingStart } from '../../src/host/install/pending.ts';
import { unitsStep } from '../../src/host/install/steps/units.ts';
import { writeFiles } from '../../src/host/own-files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'units-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const path = () => join(folder, 'appliance.service');
const text = '[Service]\nExecStart=/usr/local/bin/appliance serve\n';
const foreign = '[Service]\nExecStart=/bin/sleep 1000\n';
const file = () => ({ name: 'appliance.service', path: path(), text });
const record = () => join(folder, '.written');
const look = (replaceEdited = false) =>
  unitsStep({
    files: [file()],
    unwanted: [],
    enabled: [],
    record: record(),
    replaceEdited,
    pending: pendingStart(join(folder, 'pending')),
  }).look({ willAct: () => false });

describe('a unit of our name, before an install', () => {
  it.each([false, true])(
    'is refused where it is somebody else’s, whatever the flags: %j',
    async (replace) => {
      writeFileSync(path(), foreign);
      await expect(look(replace)).rejects.toMatchObject({
        code: 'unit-not-ours',
        exitCode: 3,
        message: expect.stringContaining(path()) as string,
        remedy: expect.stringContaining('systemctl disable --now appliance.service') as string,
      });
    },
  );

  it('is refused where it is a link to elsewhere', async () => {
    mkdirSync(join(folder, 'other'));
    writeFileSync(join(folder, 'other', 'a.service'), foreign);
    symlinkSync(join(folder, 'other', 'a.service'), path());
    await expect(look()).rejects.toMatchObject({ code: 'unit-not-ours' });
  });

  it('is an edit where it runs the appliance, or where an install wrote it', async () => {
    writeFileSync(path(), `${text}Nice=5\n`);
    expect((await look()).details).toContain(`${path()} stays as you edited it:`);
    rmSync(path());
    await writeFiles({ record: record(), files: [file()], unknownIs: 'edited' });
    writeFileSync(path(), foreign);
    expect((await look()).details).toContain(`${path()} stays as you edited it:`);
  });
});
