import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../../src/core/errors.ts';
import { openDatabase } from '../support/open-database.ts';
import { atMost, type Findings } from './figure.ts';
import type { Product } from './product.ts';
import { scratchFolder } from './scratch.ts';

const rowBytes = 10_000;
const totalBytes = 1e9;
const rowsOfOneStatement = 500;
const lookEveryMs = 20;

interface Taken {
  readonly seconds: number;
  /** The most that it held at any moment (`VmHWM`), whatever that is shared with. */
  readonly peakBytes: number;
}

/** What an encrypted backup of a gigabyte, and the proof of it, take of time and memory; embedded database. */
export async function backup(product: Product): Promise<Findings> {
  const folder = scratchFolder();
  const data = join(folder, 'data');
  mkdirSync(data, { mode: 0o700 });
  const passphrase = join(folder, 'passphrase');
  writeFileSync(passphrase, 'correct horse battery staple\n', { mode: 0o600 });
  await fill(join(data, 'state.sqlite'));
  const run = (...command: string[]) => measure(product, folder, ['backup', ...command]);
  const idle = await run('list');
  const create = await run('create', '--passphrase-file', passphrase);
  const verify = await run('verify', '--passphrase-file', passphrase);
  const above = ({ peakBytes }: Taken): number => (peakBytes - idle.peakBytes) / 1e6;
  const row = (name: string, { seconds, peakBytes }: Taken) => [
    name,
    seconds.toFixed(1),
    (peakBytes / 1e6).toFixed(0),
  ];
  return {
    figures: [
      atMost('backup of 1 GB: memory above idle', above(create), 150, 'MB'),
      atMost('verify of 1 GB: memory above idle', above(verify), 150, 'MB'),
    ],
    details: {
      columns: ['1 GB, encrypted', 'seconds', 'peak of RSS, MB'],
      rows: [row('idle (backup list)', idle), row('backup create', create), row('backup verify', verify)],
    },
    notes: [`The database file has ${(statSync(join(data, 'state.sqlite')).size / 1e6).toFixed(0)} MB.`],
  };
}

async function fill(file: string): Promise<void> {
  const database = openDatabase({ kind: 'sqlite', file });
  await database.migrate();
  for (let row = 0; row < totalBytes / rowBytes; row += rowsOfOneStatement) {
    const rows = Array.from({ length: rowsOfOneStatement }, (_, index) => ({
      at_ms: row + index,
      actor: 'bench',
      action: 'fill',
      details: JSON.stringify({ text: randomBytes(rowBytes / 2).toString('hex') }),
    }));
    await database.queries.insertInto('audit_log').values(rows).execute();
  }
  await database.close();
}

async function measure(product: Product, folder: string, command: readonly string[]): Promise<Taken> {
  const since = performance.now();
  const child = spawn(product.file, [...product.arguments, ...command], {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      APP_DATA_DIR: join(folder, 'data'),
      APP_RUN_DIR: join(folder, 'run'),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  let peakBytes = 0;
  const look = setInterval(() => (peakBytes = Math.max(peakBytes, peakOf(child.pid!))), lookEveryMs);
  const status = await new Promise((resolve) => child.on('close', resolve));
  clearInterval(look);
  if (status !== 0)
    throw new Failure(`${command.join(' ')} ended with ${String(status)}:\n${complaint}`, { code: 'bench' });
  return { seconds: (performance.now() - since) / 1000, peakBytes };
}

function peakOf(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
