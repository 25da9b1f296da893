import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/**
 * Runs a program of this folder with one argument, as JSON, on a network of its own, where `net.ipv4.tcp_migrate_req` is set as it is on
 * an installed host, and ends all that it started. Gives what its last line says, which is JSON; `progress` gets each line that it
 * prints to standard error. Needs root, util-linux and iproute2.
 */
export async function runOnOwnNetwork(
  program: string,
  argument: object,
  progress: (line: string) => void,
): Promise<unknown> {
  const words = [process.execPath, join(import.meta.dirname, program), JSON.stringify(argument)];
  const flags = ['-m', '-n', '-p', '-f', '--mount-proc', '--kill-child'];
  const child = spawn('unshare', [...flags, 'sh', '-euc', script, 'sh', ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  let said = '';
  child.stdout.on('data', (chunk) => (printed += String(chunk)));
  child.stderr.on('data', (chunk) => {
    said += String(chunk);
    for (const line of String(chunk).trimEnd().split('\n')) progress(line);
  });
  const endWithUs = () => child.kill('SIGKILL');
  process.once('exit', endWithUs);
  const [status] = (await once(child, 'close')) as [number | null];
  process.off('exit', endWithUs);
  const last = printed.trimEnd().split('\n').at(-1);
  if (status !== 0 || !last) throw new Error(`the run ended with ${status}:\n${said}${printed}`);
  return JSON.parse(last);
}

const script = `
  ip link set lo up
  echo 1 >/proc/sys/net/ipv4/tcp_migrate_req
  "$@"`;
