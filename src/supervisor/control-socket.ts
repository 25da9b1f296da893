import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { connect, type Server } from 'node:net';
import { join } from 'node:path';
import { Failure } from '../core/errors.ts';

/** Where the control socket lies, in words that bind(2) and connect(2) take. */
export interface ControlAddress {
  readonly path: string;
  /** To be called when the path is needed no more. */
  release(): void;
}

/** What fits into sun_path beside its closing zero (unix(7)). */
const maxPathBytes = 107;
/** Linux's O_PATH, which Node has no name for: a handle that asks for no right to read. */
const pathOnly = 0o10000000;

/** A path that is too long for a socket is reached through a handle of its folder. Throws what open(2) throws. */
export function controlAddress(folder: string): ControlAddress {
  const path = controlPath(folder);
  if (Buffer.byteLength(path) + ownNameBytes <= maxPathBytes) return { path, release() {} };
  const handle = openSync(folder, constants.O_DIRECTORY | pathOnly);
  return { path: controlPath(`/proc/self/fd/${handle}`), release: () => closeSync(handle) };
}

/** What a socket of one process is called before it has the name that all know. */
const ownName = (path: string) => `${path}.${process.pid}`;
const ownNameBytes = '.4194304'.length;

export function controlPath(folder: string): string {
  return join(folder, 'control.sock');
}

/** A control socket that is listened on. */
export interface OpenControlSocket {
  /** Whether whoever asks there now meets it. */
  isMet(): boolean;
  /** Takes its name away, unless another has that by now. */
  remove(): void;
}

/**
 * Has the server listen on the control socket below `folder`, which is made where it is missing. The socket is its
 * owner's alone. What a killed service left is replaced; one that answers is left alone, unless it is to be taken over: then
 * whoever asks meets the one before or this one, and never nobody. Rejects with a Failure.
 */
export async function listenOnControlSocket(
  server: Server,
  folder: string,
  takeOver = false,
): Promise<OpenControlSocket> {
  prepareFolder(folder);
  const address = controlAddress(folder);
  // Node removes the name that it listened on when it closes: the one that all know is given and taken here alone
  const own = ownName(address.path);
  try {
    rmSync(own, { force: true });
    await listen(server, own);
    const { ino } = lstatSync(own);
    if (takeOver) renameSync(own, address.path);
    else await giveName(own, folder, address.path);
    const isMet = () => lstatSync(address.path, { throwIfNoEntry: false })?.ino === ino;
    return {
      isMet,
      remove() {
        try {
          if (isMet()) unlinkSync(address.path);
        } catch {
          // somebody else has removed it
        }
        address.release();
      },
    };
  } catch (error) {
    server.close();
    address.release();
    throw error instanceof Failure ? error : unusable(folder, error);
  }
}

/** Throws what bind(2) throws. */
async function listen(server: Server, path: string): Promise<void> {
  const before = process.umask(0o177);
  try {
    // the socket's file is made within this call, so nobody sees it with other rights
    server.listen(path);
  } finally {
    process.umask(before);
  }
  await once(server, 'listening');
  chmodSync(path, 0o600);
}

async function giveName(own: string, folder: string, path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      linkSync(own, path);
      unlinkSync(own);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 3) throw error;
    }
    await removeStale(folder, path);
  }
}

function prepareFolder(folder: string): void {
  let stat;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    stat = statSync(folder);
  } catch (error) {
    throw unusable(folder, error);
  }
  // Whoever can swap the socket gets to see the keys that root imports.
  const others = stat.uid !== process.geteuid?.() && stat.uid !== 0;
  const everybody = (stat.mode & 0o002) !== 0 && (stat.mode & 0o1000) === 0;
  if (others || everybody) {
    throw new Failure(
      `the control socket cannot lie in ${folder}: ${others ? "it is another user's" : 'everybody may write there'}`,
      { code: 'control-unsafe', remedy: 'name another folder in APP_RUN_DIR' },
    );
  }
}

/** Between two looks another service may have come: what is removed is what was found dead, the very same file. */
async function removeStale(folder: string, path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new Failure(`${controlPath(folder)} is in the way: it is no socket`, {
      code: 'control-blocked',
      remedy: 'remove it, or name another folder in APP_RUN_DIR',
    });
  }
  if (await isAnswered(path)) {
    throw new Failure(`another service has the control socket ${controlPath(folder)}`, {
      code: 'control-taken',
      remedy: 'stop the other, or name another folder in APP_RUN_DIR',
    });
  }
  if (lstatSync(path, { throwIfNoEntry: false })?.ino === found.ino) unlinkSync(path);
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    const answer = (answered: boolean) => {
      probe.destroy();
      resolve(answered);
    };
    probe.on('connect', () => answer(true));
    // one that is too busy to take the connection lives
    probe.on('error', ({ code }: NodeJS.ErrnoException) =>
      answer(code !== 'ECONNREFUSED' && code !== 'ENOENT'),
    );
  });
}

function unusable(folder: string, cause: unknown): Failure {
  return new Failure(`the control socket ${controlPath(folder)} cannot be made`, {
    code: 'control-unusable',
    remedy: 'name a folder that this user may write to in APP_RUN_DIR',
    cause,
  });
}
