import { closeSync, openSync, readSync } from 'node:fs';
import type { Logger } from '../ports/logger.ts';

/** So many looks in a row must succeed before it is over: between two connections one may find room by chance. */
const wellLooks = 10;

/** Looks once whether this process may open another file, and returns whether it may not. */
export type DescriptorWatch = () => boolean;

/**
 * Tells in the log when file descriptors run out, and when there are some again: then connections wait unseen, and
 * nothing else would name the cause. `open` throws as `openSync` does.
 */
export function createDescriptorWatch(log: Logger, open: () => void = openOne): DescriptorWatch {
  // opened now: when it is to be read, it could not be
  const limits = openLimits();
  let out = false;
  let well = 0;
  return () => {
    try {
      open();
      well++;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EMFILE' && code !== 'ENFILE') return out;
      well = 0;
      if (!out) tell(log, code, limits);
      out = true;
    }
    if (out && well >= wellLooks) {
      out = false;
      log.info({}, 'there are file descriptors again');
    }
    return out;
  };
}

function tell(log: Logger, code: 'EMFILE' | 'ENFILE', limits: number | undefined): void {
  if (code === 'ENFILE') {
    log.error(
      { remedy: 'see "sysctl fs.file-nr fs.file-max", and raise the latter' },
      'the host is out of file descriptors: new connections wait',
    );
    return;
  }
  const limit = limits === undefined ? undefined : readLimit(limits);
  const all = limit === undefined ? 'all' : `all ${limit}`;
  log.error(
    { remedy: 'raise LimitNOFILE= of the unit, or "ulimit -n"' },
    `out of file descriptors: ${all} that this process may have are open; new connections wait`,
  );
}

function openOne(): void {
  closeSync(openSync('/dev/null', 'r'));
}

function openLimits(): number | undefined {
  try {
    return openSync('/proc/self/limits', 'r');
  } catch {
    return undefined;
  }
}

/** How many files this process may have open at this time; undefined where that cannot be known. */
function readLimit(limits: number): number | undefined {
  try {
    const text = Buffer.alloc(4096);
    const length = readSync(limits, text, 0, text.length, 0);
    const [, soft] = /^Max open files\s+(\d+)/m.exec(text.toString('latin1', 0, length)) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
