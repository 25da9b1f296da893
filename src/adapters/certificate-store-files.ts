import { readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { isObject } from '../core/is-object.ts';
import { makeFolder, removeLeftovers, syncFolder } from '../core/atomic-file.ts';
import { checkPair } from '../core/certificate-pair.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import { Failure, reasonOf } from '../core/errors.ts';
import { readFailure, systemCode, writeFailure } from '../core/storage-failure.ts';
import type {
  CertificateFacts,
  CertificateId,
  CertificatePair,
  CertificateStore,
  StoredCertificate,
} from '../ports/certificate-store.ts';
import type { Logger } from '../ports/logger.ts';
import { accountsIn } from './certificate-store-accounts.ts';
import { certificateDocument, createDocuments, idFrom, orderFrom } from './certificate-store-documents.ts';
import { createStoreLock } from './certificate-store-lock.ts';
import { relativeFolder, standInFolder } from './certificate-store-names.ts';
import { finishSave, type FoundPair, readPair, savePair } from './certificate-store-pair.ts';

export interface CertificateStoreOptions {
  /** Made, for its owner alone, when it is first written to. */
  readonly folder: string;
  readonly log: Logger;
  /** Who takes the lock, for people: `appliance renew-certs`. */
  readonly holder?: string;
  readonly clock?: Pick<Clock, 'now'>;
  /** How long a holder of the lock that shows no sign of life keeps it. */
  readonly lockExpiryMs?: number;
}

const fileNames = {
  certificate: 'certificate.json',
  /** What `certificate.json` will be: by it `list` finds a first save that was cut off. */
  upcoming: 'certificate.json.new',
  state: 'renewal.json',
  order: 'order.json',
} as const;

/**
 * Keeps certificates in files, as people and other programs read them:
 * `AUTHORITY/NAME/{certificate.pem,key.pem,certificate.json,renewal.json,order.json}` and `AUTHORITY/account.{json,key}`.
 * Files with keys are 0600, folders 0700; all belong to whoever runs this, so root has to become the folder's owner first.
 */
export function createCertificateStore(options: CertificateStoreOptions): CertificateStore {
  const { folder, log, holder = 'appliance', clock = systemClock, lockExpiryMs = 60_000 } = options;
  const now = () => clock.now();
  const documents = createDocuments(log);
  const lock = createStoreLock(folder, { holder, expiryMs: lockExpiryMs, now });
  const folderOf = (id: CertificateId) => join(folder, relativeFolder(id));
  const path = (id: CertificateId, file: keyof typeof fileNames) => join(folderOf(id), fileNames[file]);

  async function describe(id: CertificateId, facts: CertificateFacts): Promise<void> {
    const text = certificateDocument(id, facts);
    const file = path(id, 'certificate');
    const upcoming = path(id, 'upcoming');
    if ((await documents.text(file)) === text) await remove(upcoming);
    // that needs no space on a disk that has just become full
    else if ((await documents.text(upcoming)) === text) await rename(upcoming, file);
    else await documents.write(file, text, 0o644);
  }

  async function isUntidy(id: CertificateId, { pair, unfinished }: FoundPair): Promise<boolean> {
    if (unfinished || pair === undefined) return unfinished;
    if ((await documents.text(path(id, 'upcoming'))) !== undefined) return true;
    return (await documents.text(path(id, 'certificate'))) !== certificateDocument(id, pair.facts);
  }

  /** Ends a save that was cut off and writes `certificate.json` anew; false where somebody else is at it. */
  async function tidyUp(id: CertificateId): Promise<boolean> {
    try {
      await lock.inTurn(folderOf(id), async () => {
        await finishSave(folderOf(id));
        const { pair } = await readPair(folderOf(id));
        if (pair !== undefined) await describe(id, pair.facts);
      });
      return true;
    } catch (error) {
      if (error instanceof Failure && error.code === 'locked') return false;
      throw error;
    }
  }

  async function load(id: CertificateId): Promise<StoredCertificate | undefined> {
    let found = await readPair(folderOf(id));
    try {
      for (let tries = 0; tries < 20 && (await isUntidy(id, found)); tries++) {
        // whoever saves needs milliseconds; then the files have their own names
        if (!(await tidyUp(id))) await wait(50);
        found = await readPair(folderOf(id));
      }
    } catch (error) {
      // what cannot be tidied up can still be served
      log.debug({ err: error, folder: folderOf(id) }, 'a certificate was loaded as it lies there');
    }
    if (found.problem !== undefined) documents.tell(folderOf(id), found.problem);
    if (found.pair === undefined) return undefined;
    const { facts, chain, chainFile, keyFile } = found.pair;
    return { id, facts, chain, chainFile, keyFile };
  }

  async function save(id: CertificateId, pair: CertificatePair): Promise<StoredCertificate> {
    const { facts } = checkPair(pair.chain, pair.key);
    const saved = await lock.inTurn(folderOf(id), async (held) => {
      await makeFolder(folderOf(id));
      await removeLeftovers(folderOf(id));
      try {
        await documents.write(path(id, 'upcoming'), certificateDocument(id, facts), 0o644);
        const found = await savePair(folderOf(id), pair, () => held.check());
        await describe(id, found.facts);
        return found;
      } catch (error) {
        await remove(path(id, 'upcoming')).catch(() => undefined);
        throw error;
      }
    });
    return { id, facts, chain: saved.chain, chainFile: saved.chainFile, keyFile: saved.keyFile };
  }

  async function idIn(place: string): Promise<CertificateId | undefined> {
    const id =
      (await documents.read(join(place, fileNames.certificate), idFrom)) ??
      (await documents.read(join(place, fileNames.upcoming), idFrom));
    if (id === undefined || folderOf(id) === place) return id;
    documents.tell(place, `is not where ${id.name} of ${id.authority} belongs`);
    return undefined;
  }

  /** What cannot be read must not hide the rest. */
  const skip = (place: string) => (error: unknown) => {
    documents.tell(place, reasonOf(error));
    return [];
  };

  async function list(): Promise<readonly StoredCertificate[]> {
    const stored: StoredCertificate[] = [];
    const ofAuthorities = (await foldersIn(folder)).filter((path) => path !== join(folder, standInFolder));
    const places = await Promise.all(ofAuthorities.map((path) => foldersIn(path).catch(skip(path))));
    for (const place of places.flat()) {
      try {
        const id = await idIn(place);
        const certificate = id && (await load(id));
        if (certificate !== undefined) stored.push(certificate);
      } catch (error) {
        skip(place)(error);
      }
    }
    return stored;
  }

  /** Temporary files of killed processes may hold keys, and lie in folders where nothing is written for months. */
  async function sweep(): Promise<void> {
    const ofAuthorities = await foldersIn(folder).catch(() => []);
    const ofCertificates = await Promise.all(ofAuthorities.map((path) => foldersIn(path).catch(() => [])));
    for (const place of [...ofAuthorities, ...ofCertificates.flat()])
      await removeLeftovers(place, { now: now() });
  }

  return {
    load,
    list,
    save,
    ...accountsIn(folder, documents),
    order: (id) => documents.read(path(id, 'order'), orderFrom),
    saveOrder: (id, order) => documents.write(path(id, 'order'), order),
    removeOrder: (id) => remove(path(id, 'order')),
    state: (id) => documents.read(path(id, 'state'), (state) => (isObject(state) ? state : undefined)),
    saveState: (id, state) => documents.write(path(id, 'state'), state, 0o644),
    withLock: (action) =>
      lock.run(async ({ signal }) => {
        await sweep();
        return action(signal);
      }),
  };
}

async function foldersIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'));
    return folders.map(({ name }) => join(folder, name)).sort();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw readFailure(folder, error);
  }
}

async function remove(file: string): Promise<void> {
  try {
    await rm(file);
    await syncFolder(dirname(file));
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw writeFailure(file, error);
  }
}
