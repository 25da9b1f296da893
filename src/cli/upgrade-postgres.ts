import { configOf } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { exitCodes, UsageError } from '../core/errors.ts';
import type { Command, Io } from './command.ts';
import { loadFor } from './config.ts';
import { progressTo, secondsOf, usualTimeoutSeconds } from './stack.ts';

interface Upgrade {
  upgradePostgres(
    config: Config,
    environment: Io['environment'],
    options: { readonly image: string; readonly timeoutMs: number },
    progress: (step: string) => void,
  ): Promise<{ readonly oldVolume: string; readonly newVolume: string }>;
}

export function upgradePostgresCommand(stack: Upgrade): Command {
  return {
    name: 'stack upgrade-postgres',
    summary: 'move the database to a newer major version, and keep the old one',
    usage: 'stack upgrade-postgres --image IMAGE [--timeout SECONDS]',
    examples: [
      {
        command: 'sudo appliance stack upgrade-postgres --image postgres:19.1-trixie',
        does: 'copy everything into a new volume and go on from there',
      },
    ],
    options: {
      image: { value: 'IMAGE', help: 'the image of the newer version' },
      timeout: { value: 'SECONDS', help: `how long to wait for a server to start (${usualTimeoutSeconds})` },
    },
    takesConfiguration: true,
    async run(args, io) {
      const { image, timeout } = args.flags;
      if (image === undefined || !/^[A-Za-z0-9][\w./:@-]*$/.test(image)) {
        throw new UsageError('--image is not right', 'name the new one: --image postgres:19.1-trixie');
      }
      const timeoutMs = 1000 * secondsOf(timeout);
      const config = configOf(loadFor(args, io));
      const volumes = await stack.upgradePostgres(
        config,
        io.environment,
        { image, timeoutMs },
        progressTo(io),
      );
      io.stdout.write(
        `PostgreSQL runs as ${image} on the volume ${volumes.newVolume}\n` +
          `the old data is still in ${volumes.oldVolume}; once you are sure: docker volume rm ${volumes.oldVolume}\n`,
      );
      return exitCodes.done;
    },
  };
}
