import { checkCertificateNames } from './certificate-checks.ts';
import type { Field } from './schema.ts';
import type { Problem } from './problem.ts';
import type { Values } from './value.ts';

/** What no key can tell by itself: each check sees values that are right one by one. */
export function crossCheck(values: Values): Problem[] {
  return [
    ...portsDiffer(values),
    ...pair(values, 'certEabKid', 'certEabHmac'),
    ...pair(values, 'certFallbackEabKid', 'certFallbackEabHmac'),
    ...fallbackHasDirectory(values),
    ...checkCertificateNames(values),
    ...redisPasswordsMatch(values),
    ...redisHostsFit(values),
    ...anchorsAreUsed(values),
  ];
}

function portsDiffer(values: Values): Problem[] {
  const { httpPort, httpsPort, metricsListen } = values;
  if (!httpPort || !httpsPort) return [];
  const problems: Problem[] = [];
  if (httpPort.value === httpsPort.value) {
    const [culprit, other] =
      httpsPort.origin.kind === 'default' ? [httpPort, httpsPort] : [httpsPort, httpPort];
    problems.push(culprit.problem(`must differ from ${other.setting.key}, which is ${other.text}`));
  }
  const metricsPort = metricsListen?.value?.port;
  for (const taken of [httpPort, httpsPort]) {
    if (metricsListen && metricsPort !== undefined && metricsPort === taken.value) {
      problems.push(metricsListen.problem(`must have another port than ${taken.setting.key}`));
    }
  }
  return problems;
}

function pair(values: Values, one: Field, two: Field): Problem[] {
  const [a, b] = [values[one], values[two]];
  if (!a || !b || (a.value === undefined) === (b.value === undefined)) return [];
  const [present, missing] = a.value === undefined ? [b, a] : [a, b];
  return [present.problem(`is set without ${missing.setting.key}: both or neither`)];
}

function fallbackHasDirectory(values: Values): Problem[] {
  if (!values.certFallbackDirectoryUrl || values.certFallbackDirectoryUrl.value !== undefined) return [];
  return [values.certFallbackCaFile, values.certFallbackEabKid]
    .filter((given) => given?.value !== undefined)
    .flatMap((given) => given?.problem('is set without CERT_FALLBACK_DIRECTORY_URL') ?? []);
}

function redisPasswordsMatch({ redisPassword, redisRequirePass }: Values): Problem[] {
  if (!redisPassword || !redisRequirePass || redisRequirePass.value === undefined) return [];
  if (redisPassword.value === redisRequirePass.value) return [];
  if (redisPassword.value === undefined) {
    return [redisRequirePass.problem('sets a password, but REDIS_PASS in redis.env is not set')];
  }
  return [redisPassword.problem('is another password than the requirepass line of redis.password.conf')];
}

function redisHostsFit({ redisConnectionType, redisHosts, redisDatabase }: Values): Problem[] {
  const type = redisConnectionType?.value;
  if (!redisHosts || type === undefined || redisHosts.value === undefined) return [];
  const several = type === 'sentinel' || type === 'cluster';
  const paths = redisHosts.value.filter((host) => host.startsWith('/'));
  const problems: Problem[] = [];
  if (type === 'unix' && paths.length !== redisHosts.value.length) {
    problems.push(redisHosts.problem('must be the path of a socket where REDIS_CONNECTION_TYPE is unix'));
  }
  if (type !== 'unix' && paths.length > 0) {
    problems.push(
      redisHosts.problem(
        `cannot be a path where REDIS_CONNECTION_TYPE is ${type}: for a socket, set that to unix`,
      ),
    );
  }
  if (!several && redisHosts.value.length > 1) {
    problems.push(redisHosts.problem(`must be one server where REDIS_CONNECTION_TYPE is ${type}`));
  }
  if (type === 'cluster' && redisDatabase && redisDatabase.value !== 0) {
    problems.push(redisDatabase.problem('must be 0 where REDIS_CONNECTION_TYPE is cluster'));
  }
  return problems;
}

/** Whoever names a trust anchor wants the server to be verified, and must not believe that it is. */
function anchorsAreUsed(values: Values): Problem[] {
  const { postgresCaFile, postgresSslMode, redisCaFile, redisConnectionType } = values;
  const problems: Problem[] = [];
  const mode = postgresSslMode?.value;
  if (postgresCaFile?.value !== undefined && mode !== undefined && unverified.has(mode)) {
    problems.push(
      postgresCaFile.problem(
        `is not looked at where POSTGRES_SSLMODE is ${mode}: set that to verify-full, or to verify-ca where names do not fit`,
      ),
    );
  }
  const type = redisConnectionType?.value;
  if (redisCaFile?.value !== undefined && type !== undefined && type !== 'rediss') {
    problems.push(
      redisCaFile.problem(`is not looked at where REDIS_CONNECTION_TYPE is ${type}: set that to rediss`),
    );
  }
  return problems;
}

/** Modes under which a server may show any certificate, or none (PostgreSQL's documentation, table 33.1). */
const unverified = new Set(['disable', 'allow', 'prefer']);
