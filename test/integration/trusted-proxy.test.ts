import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAppliance, type Appliance } from '../support/appliance.ts';

/** Behind a proxy at 127.0.0.1 or ::1; 127.0.0.2 is a stranger. */
const APP_TRUSTED_PROXIES = '127.0.0.1/32,::1/128,10.0.0.0/8';
const running: { [header: string]: Appliance } = {};

beforeAll(async () => {
  for (const header of ['x-forwarded-for', 'forwarded']) {
    running[header] = await startAppliance({
      environment: {
        APP_WORKERS: '1',
        APP_LISTEN_HOST: '::',
        APP_TRUSTED_PROXIES,
        APP_CLIENT_ADDRESS_HEADER: header,
      },
    });
  }
});
afterAll(() => Promise.all(Object.values(running).map((appliance) => appliance.stop())));

/** Who the server says is asking. */
async function asked(
  header: string,
  lines: readonly string[],
  { from = '127.0.0.1', to = '127.0.0.1', target = '/ip' } = {},
): Promise<string> {
  const socket = connect({ host: to, port: running[header]!.port, localAddress: from });
  socket.write(
    Buffer.from([`GET ${target} HTTP/1.1`, 'Host: a.example', ...lines, '', ''].join('\r\n'), 'latin1'),
  );
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  const answer = chunk.toString('latin1');
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  return answer.slice(answer.indexOf('\r\n\r\n') + 4).trim();
}

describe('with X-Forwarded-For', () => {
  const xff = (...lines: string[]) => asked('x-forwarded-for', lines);

  it('believes the last entry that no trusted proxy has', async () => {
    expect(await xff('X-Forwarded-For: 6.6.6.6, 9.9.9.9, 10.1.1.1')).toBe('9.9.9.9');
    expect(await xff('x-forwarded-for: 2606:4700::1111')).toBe('2606:4700::1111');
    expect(await xff('X-FORWARDED-FOR:9.9.9.9')).toBe('9.9.9.9');
  });

  it('joins the lines in order, whatever stands between them', async () => {
    expect(await xff('X-Forwarded-For: 6.6.6.6', 'Via: x', 'x-forwarded-for: 9.9.9.9')).toBe('9.9.9.9');
    expect(await xff('X-Forwarded-For: 6.6.6.6", "', 'X-Forwarded-For: 9.9.9.9')).toBe('9.9.9.9');
    expect(await xff('X-Forwarded-For: 9.9.9.9', 'X-Forwarded-For:', 'X-Forwarded-For: 10.1.1.1')).toBe(
      '9.9.9.9',
    );
  });

  it('never reads another header', async () => {
    expect(await xff('Forwarded: for=6.6.6.6')).toBe('127.0.0.1');
    expect(await xff('X-Forwarded-For: 9.9.9.9', 'Forwarded: for=6.6.6.6')).toBe('9.9.9.9');
    const others = [
      'X-Real-IP',
      'X-Client-IP',
      'True-Client-IP',
      'CF-Connecting-IP',
      'X_Forwarded_For',
      'X-Forwarded',
    ];
    expect(await xff(...others.map((name) => `${name}: 6.6.6.6`))).toBe('127.0.0.1');
  });

  it('believes nothing that a stranger says', async () => {
    const from = '127.0.0.2';
    expect(await asked('x-forwarded-for', ['X-Forwarded-For: 6.6.6.6'], { from })).toBe(from);
    expect(await asked('x-forwarded-for', ['X-Forwarded-For: 127.0.0.1'], { from })).toBe(from);
  });

  it('trusts a proxy over IPv6 too', async () => {
    const over = { from: '::1', to: '::1' };
    expect(await asked('x-forwarded-for', ['X-Forwarded-For: 9.9.9.9'], over)).toBe('9.9.9.9');
    expect(await asked('x-forwarded-for', [], over)).toBe('::1');
  });

  it('answers for the address that is asked about, whoever asks', async () => {
    const target = '/ip?ip=::ffff:8.8.8.8';
    expect(await asked('x-forwarded-for', ['X-Forwarded-For: 9.9.9.9'], { target })).toBe('8.8.8.8');
  });
});

describe('with Forwarded', () => {
  const forwarded = (...lines: string[]) => asked('forwarded', lines);

  it('believes the last element that no trusted proxy has', async () => {
    expect(await forwarded('Forwarded: for=6.6.6.6, for="[2606:4700::1111]:80";proto=https')).toBe(
      '2606:4700::1111',
    );
    expect(await forwarded('Forwarded: for="', 'FORWARDED: for=9.9.9.9;by=10.0.0.1')).toBe('9.9.9.9');
    expect(await forwarded('Forwarded: for=9.9.9.9;host="a\\",for=6.6.6.6;x=\\"b", for=10.1.1.1')).toBe(
      '9.9.9.9',
    );
  });

  it('never reads another header', async () => {
    expect(await forwarded('X-Forwarded-For: 6.6.6.6')).toBe('127.0.0.1');
    expect(await forwarded('X-Forwarded-For: 6.6.6.6', 'Forwarded: for=9.9.9.9')).toBe('9.9.9.9');
  });

  it('believes nothing that a stranger says', async () => {
    const from = '127.0.0.2';
    expect(await asked('forwarded', ['Forwarded: for=6.6.6.6'], { from })).toBe(from);
  });
});
