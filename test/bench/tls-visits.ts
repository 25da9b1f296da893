import { once } from 'node:events';
import { connect, type SecureVersion } from 'node:tls';

/** New connections, each with one request that ends it. */
export interface Visits {
  readonly port: number;
  readonly version: SecureVersion;
  readonly count: number;
  /** How many are open at the same time. */
  readonly atOnce: number;
  /** Each offers the ticket that the one before it was given; else none offers any, and each makes a full handshake. */
  readonly withTickets: boolean;
}

/** Makes the visits to a server of 127.0.0.1; resolves with the number of those that resumed a session. */
export async function visit(visits: Visits): Promise<number> {
  let begun = 0;
  let resumed = 0;
  const inTurn = async (): Promise<void> => {
    let ticket: Buffer | undefined;
    while (begun++ < visits.count) {
      const one = await visitOnce(visits, visits.withTickets ? ticket : undefined);
      ticket = one.ticket;
      if (one.resumed) resumed++;
    }
  };
  await Promise.all(Array.from({ length: visits.atOnce }, inTurn));
  return resumed;
}

async function visitOnce(
  { port, version }: Visits,
  session: Buffer | undefined,
): Promise<{ resumed: boolean; ticket: Buffer | undefined }> {
  const socket = connect({
    host: '127.0.0.1',
    port,
    minVersion: version,
    maxVersion: version,
    // Whoever signed it: what is measured is the server.
    rejectUnauthorized: false,
    ...(session === undefined ? {} : { session }),
  });
  // TLS 1.2 gives no new one to who resumes.
  let ticket = session;
  let answered = false;
  let resumed = false;
  socket.on('secureConnect', () => (resumed = socket.isSessionReused()));
  socket.on('session', (given) => (ticket = given));
  socket.on('data', (chunk) => (answered ||= chunk.includes('HTTP/1.1 200 OK')));
  socket.write(`GET /whoami HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\n\r\n`);
  await once(socket, 'close');
  if (!answered) throw new Error(`no answer from port ${port}`);
  return { resumed, ticket };
}

/** As a program of its own, since a client takes more CPU than a server; the visits come as JSON. */
if (import.meta.main) {
  const visits = JSON.parse(process.argv[2]!) as Visits;
  process.stdout.write(`resumed ${await visit(visits)}\n`);
}
