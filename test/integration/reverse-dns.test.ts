import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { applianceCommand } from '../support/appliance.ts';

const folder = mkdtempSync(join(tmpdir(), 'reverse-dns-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a shell script on a network of its own, whose only name server is dnsmasq with one record. */
function onOwnNetwork(script: string): string {
  const whole = `
    set -e
    ip link set lo up
    echo 'nameserver 127.0.0.1' >${folder}/resolv.conf
    mount --bind ${folder}/resolv.conf /etc/resolv.conf
    ${script}
    ${applianceCommand().join(' ')} serve --workers 1 --reverse-dns on --data-dir ${folder}/data >${folder}/log 2>&1 &
    for attempt in $(seq 200); do curl -sf 127.0.0.1:8080/health/live && break; sleep 0.05; done >/dev/null
    for attempt in 1 2; do curl -s -w '%{time_total}\\n' '127.0.0.1:8080/json?ip=8.8.8.8'; done
    curl -s '127.0.0.1:8080/json?ip=9.9.9.9'
    kill %1 2>/dev/null; kill $! || true`;
  const { stdout, stderr } = spawnSync(
    'unshare',
    ['-m', '-n', '-p', '-f', '--mount-proc', 'sh', '-c', whole],
    {
      encoding: 'utf8',
      timeout: 120_000,
    },
  );
  return stdout + stderr;
}

describe('APP_REVERSE_DNS=on', () => {
  it('puts the name of an address into /json, and leaves it out where there is none', () => {
    const printed = onOwnNetwork(
      `dnsmasq --keep-in-foreground --no-hosts --no-resolv --user=root --ptr-record=8.8.8.8.in-addr.arpa,dns.example &`,
    );
    const [first = '', , second = '', , third = ''] = printed.split('\n');
    expect(JSON.parse(first)).toMatchObject({ ip: '8.8.8.8', hostname: 'dns.example' });
    expect(JSON.parse(second)).toMatchObject({ hostname: 'dns.example' });
    expect(JSON.parse(third)).not.toHaveProperty('hostname');
  });

  it('answers without a name when the name server says nothing', () => {
    // A server that hears and never speaks.
    const printed = onOwnNetwork(
      `${process.execPath} -e "require('dgram').createSocket('udp4').bind(53,'127.0.0.1')" &`,
    );
    const [first = '', took = ''] = printed.split('\n');
    expect(JSON.parse(first)).toMatchObject({ ip: '8.8.8.8', country_iso: 'US' });
    expect(JSON.parse(first)).not.toHaveProperty('hostname');
    expect(Number(took)).toBeLessThan(3);
  });
});
