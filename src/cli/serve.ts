import { configOf } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import type { Config } from '../config/schema.ts';
import { exitCodes } from '../core/errors.ts';
import type { Command } from './command.ts';
import { loadFor } from './config.ts';

/** The configuration, and what is odd about it without making it unfit. */
export interface LoadedConfig {
  readonly config: Config;
  readonly warnings: readonly string[];
}

/** Runs the service until it is told to stop; `ready` is called when it answers. */
export type Serve = (load: () => LoadedConfig, ready: (config: Config) => void) => Promise<void>;

export function serveCommand(serve: Serve): Command {
  return {
    name: 'serve',
    summary: 'run in the foreground',
    usage: 'serve [FLAGS]',
    examples: [
      { command: 'appliance serve', does: 'answer on http://127.0.0.1:8080' },
      {
        command: 'appliance serve --listen-host :: --http-port 80 --workers 2',
        does: 'answer everybody, with two processes',
      },
      { command: 'kill -HUP PID', does: 'take over a changed configuration without dropping a request' },
    ],
    takesConfiguration: true,
    async run(args, io) {
      await serve(
        () => {
          const loaded = loadFor(args, io);
          return { config: configOf(loaded), warnings: loaded.warnings.map(formatProblem) };
        },
        (config) => {
          // Under systemd the journal keeps the log; nobody reads a greeting there.
          if (io.environment['INVOCATION_ID'] === undefined) io.stdout.write(greeting(config));
        },
      );
      return exitCodes.done;
    },
  };
}

function greeting({ listenHost, httpPort, httpsPort, certificates, publicNames }: Config): string {
  const named = (names: readonly string[] = []) => names.find((each) => !each.startsWith('*.'));
  const certified = named(certificates?.flat());
  // Where there are names, requests under others are closed.
  const host = certified ?? named(publicNames) ?? (isEvery(listenHost) ? '127.0.0.1' : listenHost);
  const address = `${bracketed(host)}:${httpPort}`;
  const port = httpsPort === 443 ? '' : `:${httpsPort}`;
  const secure = certified === undefined ? '' : ` and https://${bracketed(certified)}${port}`;
  return [
    `\n  appliance answers on http://${address}${secure}  (Ctrl-C ends it)\n`,
    '  Try:',
    `    curl ${address}`,
    `    curl -H 'X-Forwarded-For: 8.8.8.8' ${address}/whoami/`,
    `    curl '${address}/json?ip=2606:4700:4700::1111'\n\n`,
  ].join('\n');
}

function isEvery(listenHost: string): boolean {
  return listenHost === '::' || listenHost === '0.0.0.0';
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
