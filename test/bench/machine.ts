import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { readFileSync } from 'node:fs';
import { Failure } from '../../src/core/errors.ts';
import type { Product } from './product.ts';

/** Throws where the machine lacks what the comparison needs. */
export function expectTools(): void {
  const missing = ['nginx', 'wrk', 'taskset'].filter((name) => spawnSync(name, ['-v']).error !== undefined);
  if (missing.length > 0) {
    throw new Failure(`the bench needs programs that are not here: ${missing.join(', ')}`, {
      code: 'bench-tools',
      remedy: 'On Debian or Ubuntu: apt-get install nginx-light wrk util-linux',
    });
  }
  if (availableParallelism() < 2) {
    throw new Failure('the bench needs two cores, one for the servers and one for the client', {
      code: 'bench-tools',
    });
  }
}

/** What the figures were measured on and with, as lines of Markdown. */
export function machineLines(product: Product, loadAtStart: number): string[] {
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB`;
  return [
    `- ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC`,
    `- ${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, ${memory}, Linux ${release()}, ${systemName()}`,
    `- ${product.version}, ${product.packaged ? 'packaged' : 'from the sources'}; Node ${process.version}; ${nginxVersion()}; ${wrkVersion()}`,
    `- load average before the first run: ${loadAtStart.toFixed(1)}`,
  ];
}

function systemName(): string {
  return /^PRETTY_NAME="(.*)"$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown system';
}

function nginxVersion(): string {
  return spawnSync('nginx', ['-v'], { encoding: 'utf8' }).stderr.trim().replace('nginx version: ', '');
}

function wrkVersion(): string {
  return spawnSync('wrk', ['-v'], { encoding: 'utf8' }).stdout.split(' [')[0]!.trim();
}
