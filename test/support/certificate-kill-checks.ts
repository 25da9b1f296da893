import { existsSync, readdirSync, readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { hasPair, modesBelow } from './certificate-host.ts';
import { makeDue, type Scene } from './certificate-scene.ts';
import type { Pebble } from './pebble.ts';

const accountKey = ({ place }: Scene) => {
  const file = join(place, '..', 'account.key');
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
};

/** What has to hold once a run has come to its end. */
export function checkStore({ host, place }: Scene): void {
  expect(hasPair(place)).toBe(true);
  const secret = /(\.key|key\.pem|order\.json|account\.json)$/;
  const mode = (path: string) => (secret.test(path) ? '600' : /\.(json|pem)$/.test(path) ? '644' : '700');
  const wrong = modesBelow(host.store).filter((line) => {
    const [found, path = ''] = line.split(' ');
    return !/\.tmp|\.lock/.test(path) && found !== mode(path);
  });
  expect(wrong).toEqual([]);
  expect(readdirSync(place).filter((file) => file.endsWith('.new'))).toEqual([]);
}

/** What a killed run left under temporary names is gone when it is old and another run has been there. */
export async function checkLitter({ host }: Scene): Promise<void> {
  const files = () => readdirSync(host.store, { recursive: true, encoding: 'utf8' });
  const litter = () => files().filter((path) => path.includes('.tmp'));
  if (litter().length === 0) return;
  const hoursAgo = Date.now() / 1000 - 2 * 3600;
  for (const path of litter()) utimesSync(join(host.store, path), hoursAgo, hoursAgo);
  await host.run(['renew-certs']);
  expect(litter()).toEqual([]);
}

/** The run after a killed one: comes to its end, with what is there already. */
export async function runAgain(scene: Scene): Promise<void> {
  const { host, proxy, accounts } = scene;
  proxy.onRequest = () => {};
  const key = accountKey(scene);
  const { exitCode, err } = await host.run(['renew-certs']);
  expect(exitCode, err).toBe(0);
  expect(existsSync(join(host.store, '.lock'))).toBe(false);
  checkStore(scene);
  if (key !== undefined) expect(accountKey(scene)).toBe(key);
  expect(accounts.size).toBe(1);
}

/** Gets a certificate that is due. */
export async function dueCertificate(
  pebble: Pebble,
  scene: Scene,
): Promise<{ serial: string; orders: number }> {
  const { host, proxy } = scene;
  expect((await host.run(['renew-certs'])).exitCode).toBe(0);
  await makeDue(pebble, scene);
  const { facts } = (await host.load(proxy.directoryUrl))!;
  return { serial: facts.serial, orders: proxy.orders() };
}
