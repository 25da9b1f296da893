import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { parseEnvFile } from '../../src/config/env-file.ts';
import { settings } from '../../src/config/schema.ts';
import { makeFolder } from '../support/secrets-folder.ts';

const guide = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'certificates.md'), 'utf8');

function examples(language: string): string[] {
  return [...guide.matchAll(new RegExp(String.raw`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(
    ([, text = '']) => text,
  );
}

/** The example whose second line names the file. */
function script(path: string): string {
  return examples('sh').find((text) => text.includes(`# ${path}`)) ?? '';
}

describe('the guide to certificates', () => {
  it.each(settings.filter(([, { file }]) => file === 'acme.env').map(([, { key }]) => key))(
    'names %s',
    (key) => {
      expect(guide).toContain(key);
    },
  );

  it('has settings that are read as they stand', () => {
    const keys = settings.map(([, { key }]) => key);
    for (const text of examples('ini').filter((each) => !each.includes('[Path]'))) {
      const { assignments, problems } = parseEnvFile(text);
      expect(problems).toEqual([]);
      expect(assignments.filter(({ key }) => !keys.includes(key))).toEqual([]);
    }
  });

  it('has a program for DNS that sets a record and takes it away', () => {
    const folder = makeFolder({
      hook: script('/usr/local/bin/dns-hook'),
      nsupdate: '#!/bin/sh\necho "$@"\ncat\n',
    });
    for (const file of ['hook', 'nsupdate']) chmodSync(join(folder, file), 0o755);
    const run = (action: string) =>
      execFileSync(join(folder, 'hook'), [action], {
        env: {
          PATH: `${folder}:/usr/bin:/bin`,
          CERTBOT_DOMAIN: 'a.example',
          CERTBOT_VALIDATION: 'x_-1',
          DNS_WAIT: '0',
        },
        encoding: 'utf8',
      });
    const around = (change: string) => `-k /etc/appliance/dns.key\nserver ns1.example.com\n${change}\nsend\n`;
    expect(run('auth')).toBe(around('update add _acme-challenge.a.example. 60 IN TXT "x_-1"'));
    expect(run('cleanup')).toBe(around('update delete _acme-challenge.a.example. IN TXT "x_-1"'));
  });

  it('has a hook that hands a certificate on, and only then', () => {
    const folder = makeFolder({
      hook: script('/usr/local/bin/certificate-hook'),
      chain: 'CHAIN\n',
      key: 'KEY\n',
    });
    chmodSync(join(folder, 'hook'), 0o755);
    const run = (event: string) =>
      execFileSync(join(folder, 'hook'), {
        env: {
          PATH: '/usr/bin:/bin',
          HOME: folder,
          CERT_EVENT: event,
          CERT_FILE: join(folder, 'chain'),
          CERT_KEY_FILE: join(folder, 'key'),
        },
      });
    const handedOn = join(folder, 'haproxy.pem');
    writeFileSync(handedOn, 'before');
    run('failed');
    expect(readFileSync(handedOn, 'utf8')).toBe('before');
    run('issued');
    expect(readFileSync(handedOn, 'utf8')).toBe('CHAIN\nKEY\n');
  });
});
