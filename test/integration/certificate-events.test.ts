import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createAlertCommand } from '../../src/adapters/alert-command.ts';
import { createCertificateEvents, type CertificateEvent } from '../../src/certificates/events.ts';
import type { Alerter } from '../../src/ports/alerter.ts';
import { factsOf, made } from '../support/certificate-world.ts';
import { isAlive } from '../support/child-processes.ts';
import { until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'events-test-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = (name: string) => join(folder, name);
const read = (name: string) => readFileSync(path(name), 'utf8');
const never = new AbortController().signal;

function script(name: string, body: string): string {
  writeFileSync(path(name), `#!/bin/sh\n${body}\n`);
  chmodSync(path(name), 0o755);
  return path(name);
}

function events(hook: string | undefined, alerter?: Alerter) {
  const lines: string[] = [];
  const line = (fields: object, message: string) => void lines.push(JSON.stringify(fields) + message);
  const log = { debug: line, info: line, warn: line, error: line, debugging: false };
  return { lines, ...createCertificateEvents({ hook, alerter, log }) };
}

const pair = made({ names: ['a.test', 'b.test'] });
const certificate = {
  id: { authority: 'https://ca.test/directory', name: 'a.test' },
  facts: factsOf(pair),
  chain: pair.chain,
  chainFile: '/store/a.test/certificate.pem',
  keyFile: '/store/a.test/key.pem',
};
const issued: CertificateEvent = {
  kind: 'issued',
  names: ['a.test', 'b.test'],
  authority: certificate.id.authority,
  certificate,
  error: undefined,
};
const failed: CertificateEvent = {
  kind: 'failed',
  names: ['a.test'],
  authority: certificate.id.authority,
  certificate: undefined,
  error: { message: 'port 80 is closed', remedy: 'open it' },
};
const variables = (name: string) =>
  read(name)
    .trim()
    .split('\n')
    .filter((line) => !/^(PATH|HOME|PWD|OLDPWD|SHLVL|_)=/.test(line))
    .toSorted();

describe('CERT_HOOK', () => {
  it('is told of a new certificate in its own words and in those of certbot, and of nothing else', async () => {
    process.env['APP_SECRET_OF_TEST'] = 'x';
    const { hook } = events(script('issued', `env > ${path('issued.out')}`));
    await hook(issued, never);
    expect(variables('issued.out')).toEqual([
      'CERT_AUTHORITY=https://ca.test/directory',
      'CERT_EVENT=issued',
      'CERT_FILE=/store/a.test/certificate.pem',
      'CERT_KEY_FILE=/store/a.test/key.pem',
      'CERT_NAMES=a.test b.test',
      'CERT_NOT_AFTER=2027-04-01T00:00:00.000Z',
      'RENEWED_DOMAINS=a.test b.test',
      'RENEWED_LINEAGE=/store/a.test',
    ]);
  });

  it('is told of a failure with what to do', async () => {
    const { hook } = events(script('failed', `env > ${path('failed.out')}`));
    await hook(failed, never);
    expect(variables('failed.out')).toEqual([
      'CERT_AUTHORITY=https://ca.test/directory',
      'CERT_ERROR=port 80 is closed',
      'CERT_EVENT=failed',
      'CERT_NAMES=a.test',
      'CERT_REMEDY=open it',
    ]);
  });

  it('that fails is logged, and the next one runs; they run one after another', async () => {
    const out = path('order.out');
    const { hook, lines } = events(
      script('order', `echo begin >> ${out}; sleep 0.05; echo end >> ${out}; echo oh no >&2; exit 3`),
    );
    await Promise.all([hook(issued, never), hook(failed, never)]);
    expect(read('order.out')).toBe('begin\nend\nbegin\nend\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('oh no');
  });

  it('that hangs is ended with the service, which learns that it was cut off', async () => {
    const { hook } = events(script('hang', `touch ${path('hang.out')}; sleep 1000`));
    const ending = new AbortController();
    const ran = hook(issued, ending.signal);
    ran.catch(() => undefined);
    await until('the hook runs', () => existsSync(path('hang.out')));
    ending.abort(new Error('ending'));
    await expect(ran).rejects.toThrow('ending');
  });

  it('may be absent', async () => {
    const { hook, alert, lines } = events(undefined);
    await hook(issued, never);
    await alert({ kind: 'k', subject: 's', body: 'b' }, never);
    expect(lines).toEqual([]);
  });
});

describe('APP_ALERT_COMMAND', () => {
  const alert = { kind: 'certificate-expiring', subject: 'It ends', body: 'soon\nvery "soon" $HOME' };

  it('finds the alert in its environment and on its standard input, and is a line for the shell', async () => {
    const alerter = createAlertCommand(
      `cat > ${path('alert.in')}; env | grep -A1 ^ALERT > ${path('alert.env')}`,
    );
    await alerter(alert, never);
    expect(read('alert.in')).toBe(`${alert.body}\n`);
    expect(read('alert.env')).toContain('ALERT_KIND=certificate-expiring\n');
    expect(read('alert.env')).toContain('ALERT_SUBJECT=It ends\n');
    expect(read('alert.env')).toContain('ALERT_BODY=soon\nvery "soon" $HOME\n');
  });

  it('is in no argument, no environment and no log, whatever it does', async () => {
    const secret = 'https://hooks.test/T0P5ECRET';
    const shown = path('shown.out');
    const command = `: ${secret}; tr '\\0' ' ' < /proc/$$/cmdline > ${shown}; env >> ${shown}; echo ${secret} >&2; (`;
    const { alert: tell, lines } = events(undefined, createAlertCommand(command.replace('; (', '; exit 7')));
    await tell(alert, never);
    expect(read('shown.out')).toContain('/bin/sh');
    expect(read('shown.out')).not.toContain('T0P5ECRET');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('the alert command ended with status 7');
    const { alert: tellBroken, lines: brokenLines } = events(undefined, createAlertCommand(command));
    await tellBroken(alert, never);
    expect(brokenLines.join()).toContain('alert-failed');
    expect(brokenLines.join() + lines.join()).not.toContain('T0P5ECRET');
  });

  it('that hangs is ended after its time, with what it started', async () => {
    const alerter = createAlertCommand(`sleep 1000 & echo $! > ${path('child')}; wait`, 5000);
    await expect(alerter(alert, never)).rejects.toMatchObject({ code: 'alert-timeout' });
    const child = Number(read('child'));
    expect(child).toBeGreaterThan(1);
    await until('its child is gone', () => !isAlive(child));
  });

  it('is ended with the service', async () => {
    const ending = new AbortController();
    const told = createAlertCommand(`touch ${path('told')}; sleep 1000`)(alert, ending.signal);
    told.catch(() => undefined);
    await until('it runs', () => existsSync(path('told')));
    ending.abort(new Error('ending'));
    await expect(told).rejects.toThrow('ending');
  });

  it('that reads nothing of a long alert is no fault', async () => {
    await createAlertCommand('exec 0<&-; true')({ ...alert, body: 'x'.repeat(100_000) }, never);
  });
});
