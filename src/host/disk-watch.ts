import type { Clock } from '../core/clock.ts';
import { type DiskRoom, diskText } from '../core/disk-room.ts';
import { reasonOf } from '../core/errors.ts';
import type { Alert } from '../ports/alerter.ts';
import type { Logger } from '../ports/logger.ts';

const lookMs = 5 * 60_000;
/** While it lasts. */
const againMs = 24 * 3_600_000;
/** A disk that goes a little up and down is told of once. */
const recovery = 1.2;

export interface DiskWatchOptions {
  readonly folder: string;
  /** How the file system of the folder is. */
  readonly room: () => Promise<DiskRoom>;
  /** When somebody was told that it is nearly full; undefined where it is not, or nobody was. Outlives a restart, where the disk lets it. */
  readonly memory: {
    read(): Promise<number | undefined>;
    write(toldMs: number | undefined): Promise<void>;
  };
  /** Rejects where the alert did not get through: it is tried again at the next look. */
  readonly alert: (alert: Alert, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface DiskWatch {
  /** Ends what is under way. Never rejects. */
  stop(): Promise<void>;
}

/** Tells when the disk of a folder is nearly full: once, each day that it stays so, and when it has room again. */
export function startDiskWatch({ folder, room, memory, alert, clock, log }: DiskWatchOptions): DiskWatch {
  const stopping = new AbortController();
  const { signal } = stopping;

  const loop = async (): Promise<void> => {
    let toldMs = await memory.read();
    const tell = async (text: Alert, next: number | undefined): Promise<void> => {
      await alert(text, signal);
      toldMs = next;
      // a full disk may not take it, and then a restart tells once more
      await memory.write(next).catch(() => undefined);
    };
    const look = async (): Promise<void> => {
      const found = await room();
      const now = clock.now();
      const low = found.fewInodes || found.freeBytes < found.limitBytes;
      const well = !found.fewInodes && found.freeBytes > found.limitBytes * recovery;
      // a clock that was set back must not silence it
      const due = toldMs === undefined || Math.abs(now - toldMs) >= againMs;
      if (low && due) {
        log.warn({ folder, ...found }, 'the disk is nearly full');
        await tell(lowAlert(folder, found), now);
      } else if (well && toldMs !== undefined) {
        log.info({ folder, ...found }, 'the disk has room again');
        await tell(recoveredAlert(folder, found), undefined);
      }
    };
    for (;;) {
      await look().catch((error: unknown) => {
        signal.throwIfAborted();
        log.error({ folder, reason: reasonOf(error) }, 'nobody could be told how full the disk is');
      });
      await clock.wait(lookMs, signal);
    }
  };
  const ended = loop().catch((error: unknown) => {
    if (!signal.aborted) log.error({ err: error }, 'nobody looks at the disk any more');
  });
  return {
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}

function lowAlert(folder: string, { freeBytes, totalBytes, limitBytes, fewInodes }: DiskRoom): Alert {
  const [left, total] = [diskText(freeBytes), diskText(totalBytes)];
  const what =
    freeBytes < limitBytes
      ? `${left} of ${total} are free, less than ${diskText(limitBytes)}.`
      : 'Hardly any more files can be made there: nearly all inodes are taken.';
  return {
    kind: 'disk-low',
    subject:
      fewInodes && freeBytes >= limitBytes
        ? 'The disk has hardly any inodes left'
        : `The disk is nearly full: ${left} left`,
    body: [
      `The disk of ${folder} is nearly full. ${what}`,
      'Answers go on, but backups, new certificates and what is counted cannot be kept once it is full.',
      `What to do: find what takes the room (df -h ${folder}; du -xh --max-depth=2 / | sort -h | tail) and make some.`,
    ].join('\n\n'),
  };
}

function recoveredAlert(folder: string, { freeBytes }: DiskRoom): Alert {
  const left = diskText(freeBytes);
  return {
    kind: 'disk-recovered',
    subject: `The disk has room again: ${left} free`,
    body: `The disk of ${folder} has ${left} free. Nothing is to be done.`,
  };
}
