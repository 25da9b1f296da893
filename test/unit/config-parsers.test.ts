import { availableParallelism } from 'node:os';

import { describe, expect, it } from 'vitest';

import { Refusal } from '../../src/config/kind.ts';
import { type Field, schema } from '../../src/config/schema.ts';

const refused = Symbol('refused');

/** What the schema makes of a text, as a file would give it. */
function read(field: Field, text: string): unknown {
  const value: unknown = schema[field].kind.parse(text);
  return value instanceof Refusal ? refused : value;
}

const cases: Partial<Record<Field, readonly (readonly [string, unknown])[]>> = {
  listenHost: [
    ['127.0.0.1', '127.0.0.1'],
    ['0.0.0.0', '0.0.0.0'],
    ['::', '::'],
    ['2001:DB8:0::1', '2001:db8::1'],
    ['LocalHost', 'localhost'],
    ['[::1]', refused],
    ['::1%lo', refused],
    ['127.1', refused],
    ['127.0.0.01', refused],
    ['127.0.0.1:80', refused],
    ['example.com', refused],
    ['*', refused],
  ],
  httpPort: [
    ['1', 1],
    ['80', 80],
    ['65535', 65_535],
    ['0', refused],
    ['65536', refused],
    ['080', refused],
    ['+80', refused],
    ['8e1', refused],
    ['0x50', refused],
    ['80.0', refused],
    ['80 ', refused],
    ['http', refused],
    ['99999999999999999999', refused],
  ],
  workers: [
    ['auto', availableParallelism()],
    ['AUTO', availableParallelism()],
    ['1', 1],
    ['256', 256],
    ['0', refused],
    ['257', refused],
    ['2.5', refused],
    ['many', refused],
  ],
  dataDir: [
    ['/var/lib/x', '/var/lib/x'],
    ['/var/lib/x/', '/var/lib/x'],
    ['/var//lib/../x', '/var/x'],
    ['data', refused],
    ['./data', refused],
    ['~/data', refused],
  ],
  publicNames: [
    ['example.com', ['example.com']],
    ['Example.COM., b.example ,192.0.2.1', ['example.com', 'b.example', '192.0.2.1']],
    ['a.example,A.EXAMPLE', ['a.example']],
    ['2001:DB8::0:1', ['2001:db8::1']],
    ['localhost', ['localhost']],
    ['bücher.example', ['xn--bcher-kva.example']],
    ['xn--bcher-kva.example', ['xn--bcher-kva.example']],
    ['a.example,', refused],
    [',', refused],
    ['a..example', refused],
    ['-a.example', refused],
    ['a_b.example', refused],
    ['a b.example', refused],
    ['*.example.com', refused],
    ['example.com:443', refused],
    ['https://example.com', refused],
    ['example.com/', refused],
    ['[::1]', refused],
    ['1.2.3', refused],
    ['1.2.3.256', refused],
    ['0x7f.1', refused],
    [`${'a'.repeat(64)}.example`, refused],
    [`${'a.'.repeat(126)}example`, refused],
  ],
  certificates: [
    ['*.example.com,example.com', [['*.example.com', 'example.com']]],
    ['a.example, WWW.a.example ; b.example', [['a.example', 'www.a.example'], ['b.example']]],
    ['192.0.2.1,2001:DB8::0:1', [['192.0.2.1', '2001:db8::1']]],
    ['xn--bcher-kva.example', [['xn--bcher-kva.example']]],
    ['printer', [['printer']]],
    ['a.example;', refused],
    [';', refused],
    ['a.example,,b.example', refused],
    ['*.com', refused],
    ['*', refused],
    ['*.192.0.2.1', refused],
    ['a.*.example', refused],
    ['a_b.example', refused],
    ['a..example', refused],
    ['1.2.3.256', refused],
    ['fe80::1%eth0', refused],
  ],
  trustedProxies: [
    ['none', []],
    ['10.0.0.0/8', ['10.0.0.0/8']],
    ['10.1.2.3, 2001:DB8::/32', ['10.1.2.3', '2001:db8::/32']],
    ['0.0.0.0/0', ['0.0.0.0/0']],
    ['10.0.0.1/8', refused],
    ['10.0.0.0/33', refused],
    ['10.0.0.0/', refused],
    ['10.0.0.0/08', refused],
    ['10.0.0.0/8/8', refused],
    ['2001:db8::1/32', refused],
    ['10.0.0.0/8 192.168.0.0/16', refused],
    ['none,10.0.0.0/8', refused],
    ['proxy.example', refused],
  ],
  clientAddressHeader: [
    ['X-Forwarded-For', 'x-forwarded-for'],
    ['forwarded', 'forwarded'],
    ['x-real-ip', refused],
    ['x-forwarded-for,forwarded', refused],
  ],
  hsts: [
    ['auto', 'auto'],
    ['off', 'off'],
    ['0', 0],
    ['31536000', 31_536_000],
    ['-1', refused],
    ['1y', refused],
  ],
  adminPath: [
    ['/admin', '/admin'],
    ['/tools/admin', '/tools/admin'],
    ['admin', refused],
    ['/', refused],
    ['/admin/', refused],
    ['/a//b', refused],
    ['/a/../b', refused],
    ['/a b', refused],
    ['/json', refused],
    ['/health/admin', refused],
  ],
  logLevel: [
    ['debug', 'debug'],
    ['INFO', 'info'],
    ['verbose', refused],
  ],
  metricsListen: [
    ['off', undefined],
    ['127.0.0.1:9100', { host: '127.0.0.1', port: 9100 }],
    ['[::1]:9100', { host: '::1', port: 9100 }],
    ['localhost:9100', { host: 'localhost', port: 9100 }],
    ['::1:9100', refused],
    ['[127.0.0.1]:9100', refused],
    [':9100', refused],
    ['9100', refused],
    ['127.0.0.1:0', refused],
    ['127.0.0.1:', refused],
    ['on', refused],
  ],
  reverseDns: [
    ['on', true],
    ['Off', false],
    ['true', refused],
    ['1', refused],
    ['yes', refused],
  ],
  keepAddressesDays: [
    ['off', undefined],
    ['30', 30],
    ['0', refused],
    ['30d', refused],
  ],
  geoipEditions: [
    ['GeoLite2-City,GeoLite2-ASN', ['GeoLite2-City', 'GeoLite2-ASN']],
    ['GeoLite2-City GeoLite2-ASN', refused],
    ['../etc', refused],
  ],
  geoipUrl: [
    ['https://mirror.example/x', 'https://mirror.example/x'],
    ['/srv/x.mmdb', '/srv/x.mmdb'],
    ['http://mirror.example/x', refused],
    ['mirror.example', refused],
    ['https://', refused],
    ['https://a b/', refused],
    ['https://user:pass@mirror.example/', refused],
  ],
  backupSchedule: [
    ['off', undefined],
    ['daily', 'daily'],
    ['03:30', '03:30'],
    ['Mon..Fri *-*-* 03:30:00', 'Mon..Fri *-*-* 03:30:00'],
    ['Sat,Sun *-*-01 4:00', 'Sat,Sun *-*-01 4:00'],
    ['*-*-* 00/6:00 UTC', '*-*-* 00/6:00 UTC'],
    ['24:00', refused],
    ['12:60', refused],
    ['0 3 * * *', refused],
    ['tomorrow', refused],
    ['daily; reboot', refused],
  ],
  backupKeep: [
    ['1', 1],
    ['0', refused],
    ['-1', refused],
  ],
  certEmail: [
    ['admin@example.com', 'admin@example.com'],
    ['a.b+c@sub.example.com', 'a.b+c@sub.example.com'],
    ['admin', refused],
    ['admin@localhost', refused],
    ['Admin <admin@example.com>', refused],
    ['a@example.com,b@example.com', refused],
  ],
  certKeyType: [
    ['rsa-4096', 'rsa-4096'],
    ['rsa-1024', refused],
  ],
  certEabHmac: [
    ['ZXhhbXBsZS1leGFtcGxlLWV4YW1wbGU', 'ZXhhbXBsZS1leGFtcGxlLWV4YW1wbGU'],
    ['ZXhhbXBsZS1leGFtcGxlLWV4YW1wbGU=', refused],
    ['short', refused],
  ],
  certRenewCheckMs: [
    ['90s', 90_000],
    ['10m', 600_000],
    ['12h', 43_200_000],
    ['7d', 604_800_000],
    ['59s', refused],
    ['8d', refused],
    ['10', refused],
    ['0h', refused],
    ['1.5h', refused],
    ['10 m', refused],
  ],
  postgresHost: [
    ['db.example', 'db.example'],
    ['my_db', 'my_db'],
    ['::1', '::1'],
    ['/var/run/postgresql', '/var/run/postgresql'],
    ['db.example:5432', refused],
    ['postgres://db', refused],
  ],
  redisHosts: [
    ['cache', ['cache']],
    ['a:6379,[::1]:6380', ['a:6379', '[::1]:6380']],
    ['/run/redis.sock', ['/run/redis.sock']],
    ['redis://cache', refused],
    ['cache:0', refused],
  ],
  redisTtlMs: [
    ['60', 60_000],
    ['0', refused],
    ['60s', refused],
  ],
  geoipAccount: [
    ['123456:abcdef_h01', { accountId: '123456', licenceKey: 'abcdef_h01' }],
    ['123456', refused],
    ['abc:abcdefgh', refused],
    ['123456:short', refused],
  ],
  postgresPassword: [
    ['pä ss#$\'"', 'pä ss#$\'"'],
    ['tab\tinside', refused],
    ['x'.repeat(513), refused],
  ],
};

describe.each(Object.entries(cases))('%s', (field, table) => {
  it.each(table)('of %j', (text, expected) => {
    expect(read(field as Field, text)).toEqual(expected);
  });
});

describe('every kind of value', () => {
  it.each(Object.keys(schema) as Field[])('%s reads what it formats', (field) => {
    const { kind, default: standing, example } = schema[field];
    const text = typeof standing === 'string' ? standing : (example ?? '');
    const value: unknown = kind.parse(text);
    expect(value).not.toBeInstanceOf(Refusal);
    expect(kind.parse(kind.format(value as never))).toEqual(value);
  });

  it('takes a relative path where there is a folder to start from', () => {
    expect(schema.dataDir.kind.parse('data', '/srv')).toBe('/srv/data');
  });

  it('never repeats a password that stands in an address', () => {
    const refusal = schema.geoipUrl.kind.parse('https://user:hunter2@mirror.example/');
    expect(refusal).toBeInstanceOf(Refusal);
    expect(JSON.stringify(refusal)).not.toContain('hunter2');
  });
});
