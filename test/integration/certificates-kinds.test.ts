import { chmodSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  startCertified,
  type CertifiedAppliance,
  type CertifiedOptions,
} from '../support/certified-appliance.ts';
import { startPebble, type Pebble } from '../support/pebble.ts';
import { findPebble } from '../support/pebble-program.ts';

const { features } = findPebble();

/** Days, as the certificate has them. */
function lifeOf(appliance: CertifiedAppliance, folder: string): number {
  const [file = ''] = globSync(join(appliance.dataDir, 'certificates', '*', folder, 'certificate.json'));
  const { notBefore, notAfter } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
  return (Date.parse(notAfter!) - Date.parse(notBefore!) + 1000) / 86_400_000;
}

describe('a certificate', () => {
  let pebble: Pebble | undefined;
  let appliance: CertifiedAppliance | undefined;
  afterEach(async () => {
    await appliance?.stop();
    await pebble?.stop();
    appliance = pebble = undefined;
  });
  const start = async (options: Omit<CertifiedOptions, 'pebble'>) => {
    appliance = await startCertified({ ...options, pebble: pebble! });
    return appliance;
  };

  it('without an address among several serves as the first for who sends no name', async () => {
    pebble = await startPebble();
    const { issued, visit } = await start({ settings: { CERT_DOMAIN: 'a.test; c.test' } });
    await issued({ name: 'c.test' });
    expect(await visit({ host: 'c.test' })).toMatchObject({ subjectAltName: 'DNS:a.test', status: 200 });
  });

  it('for a wildcard is had over DNS, with a hook as certbot has it', async () => {
    pebble = await startPebble();
    const { challtestsrvUrl } = pebble;
    const settings = { CERT_DOMAIN: '*.wild.test,wild.test' };
    const site = await startCertified({ pebble, settings: { CERT_DOMAIN: undefined } });
    appliance = site;
    const hook = join(site.folder, 'dns-hook');
    const calls = join(site.folder, 'dns-hook.calls');
    writeFileSync(
      hook,
      `#!/bin/sh
record="_acme-challenge.$CERTBOT_DOMAIN."
echo "$1 $CERTBOT_DOMAIN $CERTBOT_REMAINING_CHALLENGES $CERTBOT_AUTH_OUTPUT" >>${calls}
if [ "$1" = auth ]; then
  curl -sS --noproxy '*' -d "{\\"host\\":\\"$record\\",\\"value\\":\\"$CERTBOT_VALIDATION\\"}" ${challtestsrvUrl}/set-txt
  echo published
else
  curl -sS --noproxy '*' -d "{\\"host\\":\\"$record\\"}" ${challtestsrvUrl}/clear-txt
fi
`,
    );
    chmodSync(hook, 0o755);
    site.configure({ ...settings, CERT_DNS_HOOK: hook });
    await site.reload();
    await site.issued();
    for (const name of ['anything.wild.test', 'wild.test']) {
      expect(await site.visit({ name })).toMatchObject({ trusted: true, status: 200 });
    }
    await expect(site.visit({ name: 'two.labels.wild.test' })).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(readFileSync(calls, 'utf8').trim().split('\n')).toEqual([
      'auth wild.test 1 ',
      'auth wild.test 0 ',
      'cleanup wild.test 1 published',
      'cleanup wild.test 0 published',
    ]);
  });

  it('is had from an authority that wants accounts bound to its customers', async () => {
    const key = Buffer.alloc(32, 7).toString('base64url');
    pebble = await startPebble({ eab: { 'customer-1': key } });
    const settings = { CERT_DOMAIN: 'a.test', CERT_EAB_KID: 'customer-1', CERT_EAB_HMAC: key };
    const { issued, visit } = await start({ settings });
    await issued();
    expect(await visit({ name: 'a.test' })).toMatchObject({ trusted: true, status: 200 });
  });

  // lives, in days, that an authority draws from where no profile is asked for
  const profiles = { classic: 90, tlsserver: 45, weekly: 7, shortlived: 6, daily: 1, yearly: 365 };
  const seconds = Object.fromEntries(Object.entries(profiles).map(([name, days]) => [name, days * 86_400]));

  it.runIf(features.profiles)(
    'for an address takes the profile shortlived by itself, where it is offered',
    async () => {
      pebble = await startPebble({ profiles: seconds });
      const site = await start({ settings: { CERT_DOMAIN: '127.0.0.1' } });
      await site.issued();
      expect(await site.visit()).toMatchObject({ trusted: true, subjectAltName: 'IP Address:127.0.0.1' });
      expect(lifeOf(site, '127.0.0.1')).toBe(profiles.shortlived);
    },
  );

  it.runIf(features.profiles)('has the profile that CERT_PROFILE names', async () => {
    pebble = await startPebble({ profiles: seconds });
    const site = await start({ settings: { CERT_DOMAIN: 'a.test,127.0.0.1', CERT_PROFILE: 'weekly' } });
    await site.issued();
    expect(lifeOf(site, 'a.test')).toBe(profiles.weekly);
  });
});
