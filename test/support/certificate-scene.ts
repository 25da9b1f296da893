import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startAuthorityProxy, type AuthorityProxy } from './authority-proxy.ts';
import { makeCertificateHost, type CertificateHost } from './certificate-host.ts';
import type { Pebble } from './pebble.ts';

/** A host with its own way to an authority. */
export interface Scene {
  readonly host: CertificateHost;
  readonly proxy: AuthorityProxy;
  /** What it wants a certificate for, and the address where the authority finds that name. */
  readonly name: string;
  readonly address: string;
  /** The accounts that the authority told it of. */
  readonly accounts: ReadonlySet<string>;
  /** Its folder in the store. */
  readonly place: string;
}

export type InScene = (
  act: (scene: Scene) => Promise<void>,
  environment?: Readonly<Record<string, string>>,
) => Promise<void>;

let scenes = 0;

/**
 * Scenes of one authority lie side by side, each with a loopback address of its own. As many as said are played at the same
 * time: what starts processes by the dozen slows down whatever else is measured.
 */
export function scenesBefore(pebble: () => Pebble, atOnce = 3): InScene {
  const waiting: (() => void)[] = [];
  let playing = 0;
  return async (act, environment = {}) => {
    if (playing >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve));
    else playing++;
    try {
      await play(pebble(), act, environment);
    } finally {
      const next = waiting.shift();
      if (next === undefined) playing--;
      else next();
    }
  };
}

async function play(
  pebble: Pebble,
  act: (scene: Scene) => Promise<void>,
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  const number = ++scenes;
  const name = `host-${number}.example.test`;
  const address = `127.0.${1 + Math.floor(number / 250)}.${1 + (number % 250)}`;
  await pebble.dns('/add-a', { host: name, addresses: [address] });
  const proxy = await startAuthorityProxy(pebble);
  const accounts = new Set<string>();
  proxy.fault('newAccount', (answer) => {
    if (answer.status < 300) accounts.add(String(answer.headers.location));
    return answer;
  });
  const host = await makeCertificateHost({
    name,
    httpPort: pebble.httpPort,
    environment: {
      APP_LISTEN_HOST: address,
      CERT_DIRECTORY_URL: proxy.directoryUrl,
      CERT_CA_FILE: proxy.caFile,
      ...environment,
    },
  });
  try {
    await act({ host, proxy, name, address, accounts, place: host.place(proxy.directoryUrl) });
  } finally {
    await host.clear();
    await proxy.stop();
  }
}

/** Has the authority want the certificate renewed that the store holds, and the host ask again when. */
export async function makeDue(pebble: Pebble, { host, proxy, place }: Scene): Promise<void> {
  await wantRenewal(pebble, (await host.load(proxy.directoryUrl))!.chain);
  // the answer from before may be used for hours
  changeState(place, { ari: undefined });
}

/** Has the authority want a certificate (PEM) renewed; the host hears of it when it asks. */
export async function wantRenewal(pebble: Pebble, chain: string): Promise<void> {
  const past = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
  await pebble.setRenewalInfo(chain, { suggestedWindow: { start: past(60), end: past(30) } });
}

/** What is noted beside a certificate. */
export function readState(place: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(place, 'renewal.json'), 'utf8')) as Record<string, unknown>;
}

export function changeState(place: string, change: object): void {
  writeFileSync(join(place, 'renewal.json'), JSON.stringify({ ...readState(place), ...change }));
}
