import { writeFileSync } from 'node:fs';

/** Makes that file as large as its disk has room. */
export function fillDisk(file: string): void {
  for (const bytes of [1_000_000, 4_096]) {
    for (;;) {
      try {
        writeFileSync(file, Buffer.alloc(bytes), { flag: 'a' });
      } catch {
        break;
      }
    }
  }
}
