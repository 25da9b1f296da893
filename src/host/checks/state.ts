import type { StateView } from '../../ports/service-view.ts';
import { type Check, failed, type Finding, ok, skipped, warning } from './check.ts';
import type { DoctorContext } from './doctor-context.ts';
import { serviceIfRunning } from './service.ts';

/** What the running service says of its database or cache; undefined where it cannot be asked. */
async function told(context: DoctorContext, which: 'database' | 'cache'): Promise<StateView | undefined> {
  return (await serviceIfRunning(context))?.state?.[which];
}

function asTold({ ok: well, opening, words, remedy }: StateView): Finding {
  if (opening === true) return warning(words, 'ask again in a moment');
  return well ? ok(words) : failed(words, remedy ?? 'sudo appliance stack up');
}

const database: Check<DoctorContext> = {
  name: 'database',
  title: 'database',
  async run(context) {
    const view = await told(context, 'database');
    if (view !== undefined) return asTold(view);
    const { postgresHost } = context.configuration.values;
    if (postgresHost === undefined) return skipped('it is embedded, and the service does not run');
    const failure = await context.askDatabase();
    if (failure === undefined) return ok('PostgreSQL answers');
    return failed(failure.message, failure.remedy ?? 'sudo appliance stack up');
  },
};

const cache: Check<DoctorContext> = {
  name: 'cache',
  title: 'cache',
  async run(context) {
    const view = await told(context, 'cache');
    if (view !== undefined) return asTold(view);
    if (context.configuration.values.redisHosts === undefined) {
      return skipped('it is embedded, and the service does not run');
    }
    const { failure } = await context.askCache();
    if (failure === undefined) return ok('Redis answers');
    return failed(failure.message, failure.remedy ?? 'sudo appliance stack up');
  },
};

/** A service that is signed in goes on with an old password until it has to sign in again. */
const databasePassword: Check<DoctorContext> = {
  name: 'database-password',
  title: 'password of PostgreSQL',
  async run(context) {
    if (context.configuration.values.postgresHost === undefined) return skipped('the database is embedded');
    const failure = await context.askDatabase();
    if (failure === undefined) return ok('it takes the one of postgres.env');
    if (failure.code !== 'database-password') return skipped(`it cannot be asked: ${failure.message}`);
    return failed(
      'PostgreSQL refuses the password of postgres.env',
      context.containers
        ? 'sudo appliance stack up'
        : 'correct POSTGRES_PASSWORD in postgres.env, then: sudo systemctl reload appliance',
    );
  },
};

const cachePassword: Check<DoctorContext> = {
  name: 'cache-password',
  title: 'password of Redis',
  async run(context) {
    if (context.configuration.values.redisHosts === undefined) return skipped('the cache is embedded');
    const { failure } = await context.askCache();
    if (failure === undefined) return ok('it takes the one of redis.env');
    if (failure.code !== 'cache-password') return skipped(`it cannot be asked: ${failure.message}`);
    return failed(
      'Redis refuses the password of redis.env',
      context.containers
        ? 'sudo appliance stack up && sudo docker restart appliance-redis-1'
        : 'correct REDIS_PASS in redis.env, then: sudo systemctl reload appliance',
    );
  },
};

const cachePolicy: Check<DoctorContext> = {
  name: 'cache-policy',
  title: 'Redis when it is full',
  async run(context) {
    if (context.configuration.values.redisHosts === undefined) return skipped('the cache is embedded');
    const { policy } = await context.askCache();
    if (policy === undefined) return skipped('Redis does not tell');
    if (policy === 'noeviction') return ok('it keeps what it has (noeviction)');
    return failed(
      `it drops sessions and rate limits by itself (maxmemory-policy ${policy})`,
      context.containers
        ? `sudo appliance cache shell -- CONFIG SET maxmemory-policy noeviction`
        : 'set "maxmemory-policy noeviction" in its redis.conf and restart it',
    );
  },
};

export const stateChecks: readonly Check<DoctorContext>[] = [
  database,
  databasePassword,
  cache,
  cachePassword,
  cachePolicy,
];
