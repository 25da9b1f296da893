import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders: string[] = [];

/** A new folder that is gone when this process ends, however it ends, if that calls `removeScratch`. */
export function scratchFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'appliance-bench-'));
  folders.push(folder);
  return folder;
}

export function removeScratch(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}
