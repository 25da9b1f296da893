import { createServer } from 'node:http';
import { once } from 'node:events';
import { reasonOf } from '../core/errors.ts';
import { ListenError } from '../http/listen-error.ts';
import type { Metrics } from './metrics.ts';

export interface MetricsServer {
  readonly host: string;
  readonly port: number;
  close(): void;
}

/** Serves `GET /metrics` on a listener of its own, never on the public ports. Throws ListenError. */
export async function startMetricsServer(
  metrics: Metrics,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const isGet = request.method === 'GET' || request.method === 'HEAD';
    if (!isGet || request.url !== '/metrics') {
      response.writeHead(isGet ? 404 : 405, {
        'Content-Type': 'text/plain',
        ...(isGet ? {} : { Allow: 'GET, HEAD' }),
      });
      response.end('Metrics are at GET /metrics.\n');
      return;
    }
    metrics.text().then(
      (text) => {
        response.writeHead(200, { 'Content-Type': metrics.contentType });
        response.end(text);
      },
      (error: unknown) => {
        response.writeHead(500, { 'Content-Type': 'text/plain' });
        response.end(`The metrics cannot be read: ${reasonOf(error)}\n`);
      },
    );
  });
  server.listen({ host, port, exclusive: true });
  try {
    await once(server, 'listening');
  } catch (error) {
    throw ListenError.from(host, port, error as NodeJS.ErrnoException);
  }
  return {
    host,
    port,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
