import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

/**
 * `silent`: it took the connection, if only its system did, and gave no right answer. `unreachable`: there was no connection, as
 * with a firewall that stops loopback; of the worker that says nothing.
 */
export type WorkerAnswer = 'answers' | 'silent' | 'unreachable';

const asked = '8.8.8.8';
const request = `GET /whoami?ip=${asked} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;

/** Asks a worker, on the port that it alone has, for a record of whoami. Never rejects. */
export async function askWorker(port: number, withinMs: number): Promise<WorkerAnswer> {
  const signal = AbortSignal.timeout(withinMs);
  const socket = connect({ host: '127.0.0.1', port, signal });
  try {
    await once(socket, 'connect');
  } catch {
    return 'unreachable';
  }
  try {
    socket.write(request);
    const answer = await text(socket);
    return answer.startsWith('HTTP/1.1 200 ') && answer.includes(`"IP":"${asked}"`) ? 'answers' : 'silent';
  } catch {
    return 'silent';
  } finally {
    socket.destroy();
  }
}
