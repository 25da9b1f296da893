import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach } from 'vitest';

const made: string[] = [];
afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** A folder with the given files, each 0640, that goes away after the test. */
export function makeFolder(contents: Readonly<Record<string, string | Uint8Array>> = {}): string {
  const folder = mkdtempSync(join(tmpdir(), 'appliance-config-'));
  made.push(folder);
  for (const [name, text] of Object.entries(contents)) {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), 0o640);
  }
  return folder;
}
