import { describe, expect, it } from 'vitest';
import type { ServedCertificate } from '../../src/certificates/serving.ts';
import { loadConfig } from '../../src/config/load.ts';
import { tlsSettingsOf } from '../../src/wire/tls-settings.ts';
import { factsOf, made, wantedFor } from '../support/certificate-world.ts';

const { config } = loadConfig({
  flags: {},
  environment: {},
  workingFolder: '/srv',
  installedFolder: '/nonexistent/secrets',
});

function served(wanted: readonly string[], held: readonly string[]): ServedCertificate {
  const stored = {
    id: { authority: config!.certDirectoryUrl, name: held[0]! },
    facts: factsOf(made({ names: held })),
    chainFile: 'chain',
    keyFile: 'key',
    chain: '',
  };
  return { wanted: wantedFor(...wanted), stored, kind: 'valid', servesSince: undefined };
}

async function rulesOf(wanted: readonly string[], held: readonly string[]) {
  const noStandIn = () => Promise.reject(new Error('no stand-in is needed'));
  return (await tlsSettingsOf([served(wanted, held)], noStandIn, config!)).rules;
}

describe('callers are sent to HTTPS', () => {
  it.each([
    ['by the names of the certificate', ['a.test', 'b.test'], ['a.test', 'b.test'], ['a.test', 'b.test']],
    ['by none that was added since it was had', ['a.test', 'b.test'], ['a.test'], ['a.test']],
    ['by none that was taken off the list', ['a.test'], ['a.test', 'b.test'], ['a.test']],
    ['by those that its wildcard covers', ['b.a.test', 'a.test'], ['*.a.test'], ['b.a.test']],
  ])('%s', async (_which, wanted, held, names) => {
    const laterNames = wanted.filter((name) => !names.includes(name));
    expect(await rulesOf(wanted, held)).toMatchObject({ redirectNames: names, laterNames, hstsNames: names });
  });
});
