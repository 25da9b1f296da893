import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { until } from './until.ts';

/** What stands in for systemd: a socket that takes what a service tells of itself. */
export interface NotifySocket {
  readonly path: string;
  /** Each thing told, as its list of assignments; what `systemd-notify` sends to be sure that it was heard is left out. */
  told(): string[][];
  close(): Promise<void>;
}

/** Node has no sockets of this kind. */
export async function listenForNotifications(folder: string): Promise<NotifySocket> {
  const path = join(folder, 'notify.sock');
  const child = spawn('perl', [join(import.meta.dirname, 'notify-socket.pl'), path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (chunk) => (printed += String(chunk)));
  await until('somebody listens', () => printed.startsWith('listening\n'));
  return {
    path,
    told: () =>
      printed
        .split('\n')
        .slice(1, -1)
        .filter((line) => line !== 'BARRIER=1')
        .map((line) => line.split('\t')),
    async close() {
      child.kill();
      await once(child, 'close');
    },
  };
}
