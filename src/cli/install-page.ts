import { bold } from './colour.ts';
import type { Output } from './command.ts';

export interface InstalledHost {
  readonly version: string;
  readonly names: readonly string[];
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly containers: boolean;
  readonly dataFolder: string;
  /** Whether this run changed anything. */
  readonly changed: boolean;
  readonly tookMs: number;
}

/** What is seen last: where the host answers, what to do next, where things are. */
export function installedPage(host: InstalledHost, output: Output): string {
  const { version, names, containers, dataFolder, changed, tookMs } = host;
  const seconds = Math.max(1, Math.round(tookMs / 1000));
  const rows = (entries: readonly (readonly [string, string])[]) => {
    const width = Math.max(...entries.map(([first]) => first.length));
    return entries.map(([first, second]) => `  ${first.padEnd(width)}  ${second}`);
  };
  return [
    '',
    bold(
      changed
        ? `appliance ${version} is installed in ${seconds} s and answers at`
        : `Nothing had to be changed (${seconds} s): appliance ${version} answers at`,
      output,
    ),
    ...addresses(host).map((address) => `  ${address}`),
    '',
    bold('Next', output),
    ...rows([
      ['sudo appliance status', 'how it is'],
      ['sudo appliance doctor', 'whether anything needs you'],
      ['sudo appliance admin user add NAME', 'who may sign in'],
      ['sudo appliance backup create', 'a backup now; encrypted with BACKUP_PASSPHRASE_FILE in app.env'],
      ['journalctl --unit appliance', 'its log'],
    ]),
    '',
    bold('Where things are', output),
    ...rows([
      ['/etc/appliance/secrets', 'configuration; after a change: sudo systemctl reload appliance'],
      [dataFolder, names.length === 0 ? 'data, backups' : 'data, certificates, backups'],
      ...(containers ? ([['/etc/appliance/compose', 'the containers: PostgreSQL and Redis']] as const) : []),
      ['/usr/local/lib/appliance', 'the binary, and the one before'],
    ]),
    '',
  ].join('\n');
}

function addresses({ names, httpPort, httpsPort }: InstalledHost): string[] {
  const url = (scheme: string, name: string, port: number, usual: number) =>
    `${scheme}://${name.includes(':') ? `[${name}]` : name}${port === usual ? '' : `:${port}`}/`;
  const [first = 'localhost'] = names;
  return names.length === 0
    ? [url('http', first, httpPort, 80)]
    : names.map((name) => url('https', name.replace(/^\*\./, 'www.'), httpsPort, 443));
}
