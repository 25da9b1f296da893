import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeListenerCertificate } from '../support/listener-certificate.ts';
import { challtestsrvArguments, pebbleConfiguration } from '../support/pebble.ts';
import { findPebble } from '../support/pebble-program.ts';
import type { PackagedHost } from './packaged-host.ts';

const folder = '/srv/pebble';
const places = {
  certificateFile: `${folder}/listener.pem`,
  keyFile: `${folder}/listener.key`,
  port: 14000,
  managementPort: 15000,
  httpPort: 80,
  tlsPort: 5001,
};

/** In the host, where it runs. */
export const pebbleInside = {
  directoryUrl: `https://127.0.0.1:${places.port}/dir`,
  /** What signed its listener. */
  caFile: `${folder}/listener-ca.pem`,
  /** The root of what it issues, fetched when it runs. */
  rootFile: `${folder}/root.pem`,
};

/** A certificate authority in the host, for whom every name is this host. */
export async function startPebbleInside({ put, sh }: PackagedHost): Promise<void> {
  const program = findPebble();
  const made = mkdtempSync(join(tmpdir(), 'pebble-inside-'));
  try {
    await makeListenerCertificate(made);
    writeFileSync(join(made, 'pebble.json'), JSON.stringify(pebbleConfiguration({}, places)));
    for (const name of ['listener.pem', 'listener.key', 'listener-ca.pem', 'pebble.json'])
      put(join(made, name), `${folder}/${name}`);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
  put(program.pebble, `${folder}/pebble`);
  put(program.challtestsrv, `${folder}/challtestsrv`);
  const dns = '127.0.0.1:8053';
  const names = challtestsrvArguments(program, dns, '127.0.0.1:8055');
  sh(`systemd-run --quiet --unit challtestsrv ${folder}/challtestsrv ${names.join(' ')}
systemd-run --quiet --unit pebble --setenv PEBBLE_VA_NOSLEEP=1 ${folder}/pebble -config ${folder}/pebble.json -dnsserver ${dns}
until curl -fsS --cacert ${pebbleInside.caFile} https://127.0.0.1:${places.managementPort}/roots/0 >${pebbleInside.rootFile} 2>/dev/null; do sleep 0.1; done`);
}
