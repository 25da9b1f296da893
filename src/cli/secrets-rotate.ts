import { configOf, type Loaded } from '../config/load.ts';
import type { Field } from '../config/schema.ts';
import { files } from '../config/setting.ts';
import { exitCodes, Failure, UsageError } from '../core/errors.ts';
import type { Command } from './command.ts';
import { loadFor } from './config.ts';
import { type SecretsPlace, type Where, whereOf } from './secrets-place.ts';
import { tellService } from './tell-service.ts';

export interface SecretsRotator extends SecretsPlace {
  /** Whether a rotation of that server was interrupted. */
  isPending(folder: string, server: string): Promise<boolean>;
  /** `password` is what the files say. */
  rotate(request: {
    readonly folder: string;
    readonly server: Server;
    readonly where: Where;
    readonly password: string;
    readonly role: string;
    readonly database: string;
  }): Promise<{ readonly resumed: boolean }>;
}

const servers = ['postgres', 'redis'] as const;
type Server = (typeof servers)[number];

export function secretsRotateCommand(secrets: SecretsRotator): Command {
  return {
    name: 'secrets rotate',
    summary: 'give the servers new passwords, and the files with them',
    usage: 'secrets rotate [postgres|redis]',
    examples: [
      { command: 'sudo appliance secrets rotate', does: 'new passwords for both, without a restart' },
      { command: 'sudo appliance secrets rotate redis', does: 'for one of them' },
    ],
    takesConfiguration: true,
    maxPositionals: 1,
    async run(args, io) {
      let loaded = loadFor(args, io);
      const folder = loaded.secretsDir;
      if (folder === undefined) throw nothingToRotate();
      await secrets.checkModes(folder, files);
      const [named] = args.positionals;
      if (named !== undefined && !isServer(named)) {
        throw new UsageError(`there is no password of "${named}"`, 'there is postgres and redis');
      }
      const resumed: Server[] = [];
      let changed = false;
      try {
        // An interrupted one may have left redis.env and redis.password.conf at odds: it is finished before they are judged.
        for (const server of servers) {
          if (!(await secrets.isPending(folder, server))) continue;
          await rotateOne(secrets, folder, loaded, server);
          changed = true;
          resumed.push(server);
          io.stdout.write(`${server}: finished the rotation that was interrupted\n`);
          loaded = loadFor(args, io);
        }
        configOf(loaded);
        const ours = servers.filter((server) => isOurs(secrets, loaded, server));
        if (ours.length === 0 || (named !== undefined && !ours.includes(named))) throw nothingToRotate();
        for (const server of ours) {
          if ((named !== undefined && server !== named) || resumed.includes(server)) continue;
          await rotateOne(secrets, folder, loaded, server);
          changed = true;
          io.stdout.write(`${server}: has a new password\n`);
        }
      } finally {
        // connections that are open stay; new ones need the new password
        if (changed) await tellService(loaded, io);
      }
      return exitCodes.done;
    },
  };
}

function isServer(name: string): name is Server {
  return servers.some((server) => server === name);
}

function isOurs(secrets: SecretsRotator, loaded: Loaded, server: Server): boolean {
  const { postgresHost, redisSocket } = secrets.addressesFor(whereOf(loaded));
  if (server === 'postgres') return textOf(loaded, 'postgresHost') === postgresHost;
  return textOf(loaded, 'redisHosts') === redisSocket;
}

function textOf({ values }: Loaded, field: Field): string | undefined {
  return values.find((each) => each.field === field)?.text;
}

async function rotateOne(
  secrets: SecretsRotator,
  folder: string,
  loaded: Loaded,
  server: Server,
): Promise<void> {
  const field = server === 'postgres' ? 'postgresPassword' : 'redisPassword';
  const found = loaded.values.find((each) => each.field === field);
  if (found?.text === undefined || found.origin.kind !== 'file') {
    throw new Failure(`${found?.setting.key ?? field} does not stand in a file of ${folder}`, {
      code: 'password-not-in-file',
      exitCode: exitCodes.usage,
      remedy: 'put it there, where a new one can be written; "appliance config show" says where it is from',
    });
  }
  await secrets.rotate({
    folder,
    server,
    where: whereOf(loaded),
    password: found.text,
    role: textOf(loaded, 'postgresUser') ?? '',
    database: textOf(loaded, 'postgresDatabase') ?? '',
  });
}

function nothingToRotate(): Failure {
  return new Failure('no server with a password runs in a container of this host', {
    code: 'stack-not-configured',
    exitCode: exitCodes.usage,
    remedy: 'change the password of a server elsewhere there, and then in its file',
  });
}
