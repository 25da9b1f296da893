import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createAlertCommand } from '../adapters/alert-command.ts';
import type { Config } from '../config/schema.ts';
import { writeFileAtomically } from '../core/atomic-file.ts';
import { systemClock } from '../core/clock.ts';
import { diskRoom } from '../core/disk-room.ts';
import { isObject } from '../core/is-object.ts';
import { readTextFile } from '../core/text-file.ts';
import { type DiskWatch, startDiskWatch } from '../host/disk-watch.ts';
import type { Logger } from '../ports/logger.ts';

/** Tells of the disk that the data folder lies on, by APP_ALERT_COMMAND and in the log. */
export function watchDataDisk({ dataDir, alertCommand }: Config, log: Logger): DiskWatch {
  const file = join(dataDir, 'disk-alert.json');
  return startDiskWatch({
    folder: dataDir,
    room: () => diskRoom(dataDir),
    memory: {
      async read() {
        try {
          const { text = '{}' } = await readTextFile(file);
          const found: unknown = JSON.parse(text);
          const at = isObject(found) ? found['toldMs'] : undefined;
          return Number.isSafeInteger(at) ? Number(at) : undefined;
        } catch {
          return undefined;
        }
      },
      async write(toldMs) {
        if (toldMs === undefined) await rm(file, { force: true });
        else await writeFileAtomically(file, `${JSON.stringify({ toldMs })}\n`, 0o600);
      },
    },
    alert: alertCommand === undefined ? () => Promise.resolve() : createAlertCommand(alertCommand),
    clock: systemClock,
    log,
  });
}
