import { execFileSync, spawn } from 'node:child_process';
import { expect } from 'vitest';
import { startPebble, type Pebble } from '../support/pebble.ts';
import { visit, type Visit } from '../support/tls-visit.ts';
import { until } from '../support/until.ts';
import { bootPackagedHost, buildBinary, type PackagedHost } from './packaged-host.ts';
import type { Ended, HostKind } from './throwaway-host.ts';

export type Run = Ended & { readonly tookMs: number };

/** A host that has nothing of ours but the one file, and an authority at the other end of its cable. */
export interface InstallHost extends PackagedHost {
  readonly pebble: Pebble;
  /** Root of what the authority issues, PEM. */
  readonly root: string;
  /** What `install` needs to know of the authority. */
  readonly authority: string;
  /** Runs `install` out of the file that was copied in. */
  install(flags: string): Promise<Run>;
  /** HTTPS from outside, by name or, without one, by address. */
  visit(path: string, options?: { readonly name?: string; readonly from?: string }): Promise<Visit>;
  /** The caller's address as whoami tells it over HTTPS, under a chain that verifies; without a name, by address. */
  whoami(name?: string, from?: string): Promise<unknown>;
  /** The power fails and comes back; resolves once whoami answers that name again, soon after the boot. */
  powerCut(name: string): Promise<void>;
  /** HTTP from outside; gives the body. */
  curl(...words: readonly string[]): string;
  /** Does something while requests come in as fast as one caller makes them. */
  underLoad(work: () => void | Promise<void>): Promise<void>;
}

/** The steps, a line each, as a plan lists them or as a run tells of them, with what each took. */
export const stepsOf = ({ stdout }: Pick<Ended, 'stdout'>) =>
  [...stdout.matchAll(/^ *([a-z][a-z0-9]*(?:-[a-z0-9]+)*) {2,}\S.*?(?: \(([\d.]+) s\))?$/gm)].map(
    ([, name, took]) => ({ name: name!, tookMs: Number(took ?? 0) * 1000 }),
  );

export const copiedTo = '/root/appliance';

export async function bootInstallHost(kind: HostKind, print: (line: string) => void): Promise<InstallHost> {
  const binary = buildBinary();
  const host = await bootPackagedHost(kind, binary, print, copiedTo).finally(binary.remove);
  const [address] = host.callers;
  try {
    const pebble = await startPebble({
      address: address!,
      httpPort: 80,
      dnsServer: `${address}:53`,
    });
    const root = await pebble.root();
    const ask: InstallHost['visit'] = (path, { name, from } = {}) =>
      visit({ address: host.address, port: 443, root, name, from, path });
    host.put(pebble.caFile, '/root/authority.pem', '0644');
    return {
      ...host,
      pebble,
      root,
      authority: `--acme-directory ${pebble.directoryUrl} --acme-ca-file /root/authority.pem`,
      async install(flags) {
        const startedAt = performance.now();
        const ended = await host.start(`${copiedTo} install ${flags}`);
        return { ...ended, tookMs: performance.now() - startedAt };
      },
      visit: ask,
      async whoami(name, from) {
        const seen = await ask('/whoami', {
          ...(name !== undefined && { name }),
          ...(from !== undefined && { from }),
        });
        expect([seen.status, seen.trusted, seen.distrust]).toEqual([200, true, '']);
        return (JSON.parse(seen.body) as { IP?: string }).IP;
      },
      async powerCut(name) {
        host.reboot();
        const answers = () =>
          ask('/whoami', { name }).then(
            ({ status, trusted }) => status === 200 && trusted,
            () => false,
          );
        await until('whoami is answered again', answers, 600_000);
      },
      curl: (...words) => execFileSync('curl', ['-sS', '-g', '-m', '10', ...words], { encoding: 'utf8' }),
      async underLoad(work) {
        const urls = ['ip', 'json', 'whoami'].map((path) => `http://${host.address}/${path}`);
        const loop = `while :; do curl -s -m 5 -H 'Host: ${host.name}' ${urls.join(' ')}; done`;
        const caller = spawn('sh', ['-c', loop], { stdio: 'ignore' });
        try {
          await work();
        } finally {
          caller.kill();
        }
      },
      remove() {
        host.remove();
        void pebble.stop();
      },
    };
  } catch (error) {
    host.remove();
    throw error;
  }
}
