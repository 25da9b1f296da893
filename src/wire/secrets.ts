import type { PlannedValue } from '../config/secrets-plan.ts';
import type { Config } from '../config/schema.ts';
import { writeRedisPassword } from '../host/stack/container-secrets.ts';
import { isPending, rotatePassword } from '../host/stack/rotation.ts';
import { scramVerifier } from '../host/stack/scram-verifier.ts';
import { checkModes, lockSecrets, settleSecretsFolder, writeSecrets } from '../host/stack/secrets-files.ts';
import { settleServiceUser } from '../host/install/service-user.ts';
import { type StackLayout, stackLayout } from '../host/stack/stack-layout.ts';
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';

/** Passwords on the disk and in the servers, for the commands. */
export const secrets = {
  addressesFor: (where: Pick<Config, 'installed' | 'dataDir'>) => stackLayout(where),
  checkModes,
  async write(folder: string, installed: boolean, plan: () => readonly PlannedValue[]): Promise<void> {
    if (installed && process.geteuid?.() === 0) await settleServiceUser();
    const owner = await settleSecretsFolder(folder, installed);
    const lock = await lockSecrets(folder, 'appliance secrets init');
    try {
      // what another run made in the meantime is not made twice
      await writeSecrets(folder, plan(), owner);
    } finally {
      await lock.release();
    }
  },
  isPending,
  rotate: rotateOne,
};

export interface RotateRequest {
  readonly folder: string;
  readonly server: 'postgres' | 'redis';
  readonly where: Pick<Config, 'installed' | 'dataDir'>;
  /** What the files say. */
  readonly password: string;
  readonly role: string;
  readonly database: string;
}

async function rotateOne(request: RotateRequest): Promise<{ readonly resumed: boolean }> {
  const { folder, server: name, where, password: current, role, database } = request;
  const layout = stackLayout(where);
  const { uid, gid } = await stat(folder);
  const isPostgres = name === 'postgres';
  const server = isPostgres
    ? await postgresPassword({ host: layout.postgresHost, role, database })
    : await redisPassword(layout.redisSocket);
  const line = (file: PlannedValue['file'], key: string, value: string): PlannedValue => ({
    file,
    key,
    value,
    secret: true,
    origin: 'new',
  });
  const lock = await lockSecrets(folder, 'appliance secrets rotate');
  try {
    return await rotatePassword({
      name,
      folder,
      current,
      server,
      async writeFiles(next) {
        const lines = isPostgres
          ? [line('postgres.env', 'POSTGRES_PASSWORD', next)]
          : [line('redis.env', 'REDIS_PASS', next), line('redis.password.conf', 'requirepass', next)];
        if (!isPostgres) await writeToContainer(layout, next);
        await writeSecrets(folder, lines, { uid, gid });
      },
    });
  } finally {
    await lock.release();
  }
}

/** The copy that the container reads when it starts. */
async function writeToContainer(layout: StackLayout, password: string): Promise<void> {
  if (existsSync(layout.secretsFolder)) await writeRedisPassword(layout, password);
}

async function postgresPassword(where: { host: string; role: string; database: string }) {
  const { createPostgresPassword } = await import('../adapters/server-password-postgres.ts');
  return createPostgresPassword({ ...where, verifierOf: scramVerifier });
}

async function redisPassword(socket: string) {
  const { createRedisPassword } = await import('../adapters/server-password-redis.ts');
  return createRedisPassword(socket);
}
