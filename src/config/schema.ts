import { calendar } from './calendar.ts';
import { certificateLists } from './certificate-names.ts';
import {
  httpsUrl,
  httpsUrlOrFile,
  listenHost,
  listenHostPort,
  network,
  postgresHost,
  redisHost,
  serverName,
  sitePath,
} from './network-parsers.ts';
import {
  base64urlKey,
  choice,
  command,
  duration,
  email,
  geoipAccount,
  listOf,
  onOff,
  path,
  pattern,
  port,
  programPath,
  seconds,
  secretText,
  token,
  wholeNumber,
  wordOr,
  workerCount,
} from './parsers.ts';
import { letsEncrypt, letsEncryptStaging } from './lets-encrypt.ts';
import { defaultDataFolder, defaultRunFolder } from './paths.ts';
import { type Setting, settingsOf } from './setting.ts';

const app = settingsOf('app.env');
const acme = settingsOf('acme.env');
const postgres = settingsOf('postgres.env');
const redis = settingsOf('redis.env');
const requirepass = settingsOf('redis.password.conf');
const geoip = settingsOf('geoip.key');

/** Checked already, so that files written now stay good; the features come with later releases. */
const later = { effective: false } as const;
const secret = { secret: true } as const;

const noNetworks: readonly string[] = [];
const networks = wordOr('none', noNetworks, listOf(network, 'networks'));
const names = listOf(serverName, 'names');
const edition = pattern(/^[A-Za-z0-9]+(-[A-Za-z0-9]+)+$/, 'a name such as GeoLite2-City');

/** Every key there is. The example files, the flags, the checks and the type `Config` all come from here. */
export const schema = {
  listenHost: app('APP_LISTEN_HOST', listenHost, {
    default: '127.0.0.1',
    help: 'The address to listen on. 127.0.0.1 is this host alone; :: is everybody, over IPv4 and IPv6.',
  }),
  httpPort: app('APP_HTTP_PORT', port, {
    default: '8080',
    help: 'The port for plain HTTP. A public server has 80 here: certificate authorities ask there.',
  }),
  httpsPort: app('APP_HTTPS_PORT', port, {
    default: '8443',
    help: 'The port for HTTPS. A public server has 443 here.',
  }),
  workers: app('APP_WORKERS', workerCount, {
    default: 'auto',
    help: 'How many processes answer requests. auto is one for each processor core.',
  }),
  dataDir: app('APP_DATA_DIR', path, {
    default: defaultDataFolder,
    example: '/var/lib/appliance',
    help:
      'The folder for what must outlive a restart. /var/lib/appliance on an installed host; elsewhere ' +
      '$XDG_STATE_HOME/appliance, or .appliance in the working folder.',
  }),
  runDir: app('APP_RUN_DIR', path, {
    default: defaultRunFolder,
    example: '/run/appliance',
    help:
      'The folder for the control socket. /run/appliance on an installed host; elsewhere ' +
      '$XDG_RUNTIME_DIR/appliance, or .appliance in the working folder.',
  }),
  publicNames: app('APP_PUBLIC_NAMES', names, {
    example: 'whoami.example.com,192.0.2.1',
    help:
      'Names and addresses that this server answers to, beside those of CERT_DOMAIN. Where either has any, a ' +
      'request under another Host is closed without an answer; where neither has, every Host is served.',
  }),
  trustedProxies: app('APP_TRUSTED_PROXIES', networks, {
    default: '127.0.0.0/8,::1/128',
    help: 'Proxies whose word on the address of a caller is believed. none: no proxy at all.',
  }),
  clientAddressHeader: app('APP_CLIENT_ADDRESS_HEADER', choice('x-forwarded-for', 'forwarded'), {
    default: 'x-forwarded-for',
    help: 'The one header in which a trusted proxy names the caller. The other is never read.',
  }),
  hsts: app(
    'APP_HSTS',
    wordOr('auto', 'auto', wordOr('off', 'off', wholeNumber(0, 315_360_000, 'seconds'))),
    {
      default: 'auto',
      help: 'How long browsers are told to come back over HTTPS alone.',
    },
  ),
  adminPath: app('APP_ADMIN_PATH', sitePath, {
    ...later,
    default: '/admin',
    help: 'Where the dashboard lives.',
  }),
  adminAllow: app('APP_ADMIN_ALLOW', networks, {
    ...later,
    default: '127.0.0.0/8,::1/128',
    help: 'Who may see the dashboard. For every other address it does not exist. none: nobody.',
  }),
  staticDir: app('APP_STATIC_DIR', path, {
    ...later,
    example: '/var/lib/appliance/www',
    help: 'A folder of files of your own to serve.',
  }),
  logLevel: app('APP_LOG_LEVEL', choice('fatal', 'error', 'warn', 'info', 'debug', 'trace'), {
    default: 'info',
    help: 'The least that is worth a line in the log. Each request has one from debug on.',
  }),
  metricsListen: app('APP_METRICS_LISTEN', wordOr('off', undefined, listenHostPort), {
    default: 'off',
    help: 'Where Prometheus fetches /metrics; never on the public ports.',
  }),
  reverseDns: app('APP_REVERSE_DNS', onOff, {
    default: 'off',
    help: 'Look up the host name of an address for /json.',
  }),
  portTest: app('APP_PORT_TEST', onOff, {
    default: 'off',
    help: 'Let callers test one of their own ports with /port/N.',
  }),
  sessions: app('APP_SESSIONS', choice('cache', 'persistent'), {
    ...later,
    default: 'cache',
    help: 'Where the sessions of signed-in people live: in the cache, or in the database as well.',
  }),
  visits: app('APP_VISITS', onOff, {
    default: 'on',
    help: 'Count visits by hour, country, network operator and status; never by address.',
  }),
  keepAddressesDays: app('APP_KEEP_ADDRESSES', wordOr('off', undefined, wholeNumber(1, 3650, 'days')), {
    default: 'off',
    help: 'For how many days the addresses of callers are kept. off: not at all.',
  }),
  alertCommand: app('APP_ALERT_COMMAND', command, {
    ...secret,
    example: 'mail -s "$ALERT_SUBJECT" root',
    help:
      'Run when a certificate, a backup or the disk needs you. Treated as a secret, because the address of a ' +
      'webhook is one.',
  }),
  geoipEditions: app('GEOIP_EDITIONS', listOf(edition, 'editions'), {
    ...later,
    default: 'GeoLite2-City,GeoLite2-ASN',
    help: 'The databases that are fetched with the account in geoip.key.',
  }),
  geoipUrl: app('GEOIP_URL', httpsUrlOrFile, {
    ...later,
    example: 'https://mirror.example.com/geoip',
    help: 'Where databases come from, in place of MaxMind.',
  }),
  backupSchedule: app('BACKUP_SCHEDULE', wordOr('off', undefined, calendar), {
    default: 'daily',
    help:
      'When a backup is made, as systemd.time(7) writes it. One that was missed is made up for soon after the start. off: ' +
      'only by hand.',
  }),
  backupKeep: app('BACKUP_KEEP', wholeNumber(1, 1000), {
    default: '7',
    help:
      'How many backups stay; the oldest go first. Those that are not encrypted and copies from before a restore are ' +
      'counted on their own, and the newest that was proven to restore stays anyway.',
  }),
  backupPassphraseFile: app('BACKUP_PASSPHRASE_FILE', path, {
    example: '/etc/appliance/stack/backup.passphrase',
    help:
      'The file with the passphrase that backups are encrypted with. Without it they hold no private keys and no passwords, ' +
      "but the hashes of people's.",
  }),
  backupCopyCommand: app('BACKUP_COPY_COMMAND', command, {
    ...secret,
    example: 'rclone copy "$BACKUP_FILE" remote:backups',
    help:
      'Run after each backup, as the user of the service, to take it off this host. Treated as a secret, because it may ' +
      'name an account.',
  }),

  certificates: acme('CERT_DOMAIN', certificateLists, {
    example: 'whoami.example.com,www.example.com;mail.example.com',
    help:
      'The names and addresses that certificates are for: those between commas share one, a semicolon starts ' +
      'another. They are answered to at once, as those of APP_PUBLIC_NAMES are. A name that starts with *. needs ' +
      'CERT_DNS_HOOK.',
  }),
  certEmail: acme('CERT_EMAIL', email, {
    example: 'admin@example.com',
    help: 'Where the certificate authority reaches you.',
  }),
  certDirectoryUrl: acme('CERT_DIRECTORY_URL', httpsUrl, {
    default: letsEncrypt,
    help: 'The ACME directory of the certificate authority.',
  }),
  certStagingUrl: acme('CERT_STAGING_URL', httpsUrl, {
    example: letsEncryptStaging,
    help:
      'The directory that is tried first after a failure, so that retries do not use up the limits. Where nothing ' +
      "is set, Let's Encrypt's own is used for its certificates, and none for those of another authority.",
  }),
  certCaFile: acme('CERT_CA_FILE', path, {
    example: '/etc/appliance/secrets/ca.pem',
    help:
      'The trust anchor of a private certificate authority, as PEM. Where it is not set the authority is taken for ' +
      'a public one, which signs no private names and addresses.',
  }),
  certKeyType: acme('CERT_KEY_TYPE', choice('ecdsa-p256', 'ecdsa-p384', 'rsa-2048', 'rsa-4096'), {
    default: 'ecdsa-p256',
    help: 'The kind of key that a certificate gets.',
  }),
  certProfile: acme('CERT_PROFILE', token, {
    example: 'tlsserver',
    help:
      'The profile to ask for, where the authority has several. IP addresses take shortlived by themselves where ' +
      'it is offered.',
  }),
  certEabKid: acme('CERT_EAB_KID', token, {
    example: 'kid-1',
    help: 'The key identifier of an account that the authority made for you (external account binding).',
  }),
  certEabHmac: acme('CERT_EAB_HMAC', base64urlKey, {
    ...secret,
    example: 'ZXhhbXBsZS1leGFtcGxlLWV4YW1wbGU',
    help: 'The key that goes with CERT_EAB_KID.',
  }),
  certFallbackDirectoryUrl: acme('CERT_FALLBACK_DIRECTORY_URL', httpsUrl, {
    example: 'https://acme.example.net/directory',
    help: 'A second authority, asked when the first has not delivered for a day.',
  }),
  certFallbackCaFile: acme('CERT_FALLBACK_CA_FILE', path, {
    example: '/etc/appliance/secrets/fallback-ca.pem',
    help: 'The trust anchor of the second authority, where it is a private one.',
  }),
  certFallbackEabKid: acme('CERT_FALLBACK_EAB_KID', token, {
    example: 'kid-2',
    help: 'As CERT_EAB_KID, for the second authority.',
  }),
  certFallbackEabHmac: acme('CERT_FALLBACK_EAB_HMAC', base64urlKey, {
    ...secret,
    example: 'ZmFsbGJhY2stZmFsbGJhY2stZmFsbGJhY2s',
    help: 'The key that goes with CERT_FALLBACK_EAB_KID.',
  }),
  certRenewCheckMs: acme('CERT_RENEW_CHECK', duration('1m', '7d'), {
    default: '1h',
    help: 'How often certificates are looked at to see whether one is due.',
  }),
  certHook: acme('CERT_HOOK', programPath, {
    example: '/usr/local/bin/certificate-hook',
    help:
      'A program that is told of certificates, as the user of the service, with the event (issued, failed, ' +
      'expiring, expired) in CERT_EVENT, and CERT_NAMES, CERT_FILE, CERT_KEY_FILE, CERT_AUTHORITY, CERT_NOT_AFTER, ' +
      "CERT_ERROR, CERT_REMEDY and certbot's RENEWED_DOMAINS and RENEWED_LINEAGE. Only root may be able to write it.",
  }),
  certDnsHook: acme('CERT_DNS_HOOK', programPath, {
    example: '/usr/local/bin/dns-hook',
    help:
      'A program that sets and removes the DNS records which prove a name to be yours (dns-01). Where it is set, all ' +
      "names but addresses are proven that way. Its first argument is auth or cleanup; it gets certbot's " +
      'CERTBOT_DOMAIN and CERTBOT_VALIDATION, and at the clean-up CERTBOT_AUTH_OUTPUT. Only root may be able to write it.',
  }),

  postgresHost: postgres('POSTGRES_HOST', postgresHost, {
    example: '127.0.0.1',
    help: 'The PostgreSQL server. Without it the database is embedded.',
  }),
  postgresPort: postgres('POSTGRES_PORT', port, { default: '5432', help: 'Its port.' }),
  postgresDatabase: postgres('POSTGRES_DB', token, {
    default: 'appliance',
    help: 'The database there.',
  }),
  postgresUser: postgres('POSTGRES_USER', token, {
    default: 'appliance',
    help: 'The role to sign in as.',
  }),
  postgresPassword: postgres('POSTGRES_PASSWORD', secretText, {
    ...secret,
    example: 'change-me',
    help: 'Its password.',
  }),
  postgresSslMode: postgres(
    'POSTGRES_SSLMODE',
    choice('disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'),
    { default: 'prefer', help: 'Whether the connection is encrypted, as libpq means it.' },
  ),
  postgresCaFile: postgres('POSTGRES_CA_FILE', path, {
    example: '/etc/appliance/secrets/postgres-ca.pem',
    help: 'The trust anchor of the server, where its certificate is of a private authority (verify-ca, verify-full).',
  }),

  redisConnectionType: redis(
    'REDIS_CONNECTION_TYPE',
    choice('redis', 'rediss', 'unix', 'sentinel', 'cluster'),
    {
      default: 'redis',
      help: 'How the cache is reached: plain, over TLS, by a Unix socket, or several.',
    },
  ),
  redisHosts: redis('REDIS_HOST', listOf(redisHost, 'servers'), {
    example: '127.0.0.1',
    help:
      'The Redis or Valkey server; a path for unix, several with commas for sentinel and cluster. Without it the ' +
      'cache is embedded.',
  }),
  redisPort: redis('REDIS_PORT', port, {
    default: '6379',
    help: 'The port, where REDIS_HOST names none.',
  }),
  redisDatabase: redis('REDIS_DB', wholeNumber(0, 1023), {
    default: '0',
    help: 'The number of the database there.',
  }),
  redisPassword: redis('REDIS_PASS', secretText, {
    ...secret,
    example: 'change-me',
    help: 'The password. The same stands in redis.password.conf, where the server reads it.',
  }),
  redisTtlMs: redis('REDIS_TTL', seconds(1, 31_536_000), {
    default: '3600',
    help: 'How long an entry lives that has no life of its own.',
  }),

  redisCaFile: redis('REDIS_CA_FILE', path, {
    example: '/etc/appliance/secrets/redis-ca.pem',
    help: 'The trust anchor of the server, where its certificate is of a private authority (rediss).',
  }),

  redisRequirePass: requirepass('requirepass', secretText, {
    ...secret,
    example: 'change-me',
    help: 'Read by the Redis container. The same password as REDIS_PASS in redis.env.',
  }),
  geoipAccount: geoip('geoip.key', geoipAccount, {
    ...later,
    ...secret,
    example: '123456:abcdefgh01234567',
    help: 'The account number and licence key that MaxMind gave you, as ACCOUNT:KEY.',
  }),
};

export type Field = keyof typeof schema;

type Values = {
  readonly [F in Field]: (typeof schema)[F] extends Setting<infer T> ? T : never;
};

/** The whole configuration: checked, frozen, lengths of time in milliseconds where the name ends in `Ms`. */
export interface Config extends Values {
  /** The folder that the files were read from; undefined where there was none. */
  readonly secretsDir: string | undefined;
  /** Whether that is the folder of an installed host. */
  readonly installed: boolean;
}

/** Every setting with the name that it has in `Config`. */
export const settings: readonly (readonly [Field, Setting<unknown>])[] = Object.entries(schema) as [
  Field,
  Setting<unknown>,
][];
