import { Failure } from '../core/errors.ts';

/** The port cannot be listened on. */
export class ListenError extends Failure {
  constructor(host: string, port: number, why = 'it is taken, or this user may not open it') {
    super(`cannot listen on ${host.includes(':') ? `[${host}]` : host}:${port}: ${why}`, {
      code: 'listen-failed',
      remedy:
        port < 1024
          ? 'Stop what holds the port, or start with the right to open ports below 1024 (CAP_NET_BIND_SERVICE).'
          : 'Stop what holds the port, or choose another with APP_HTTP_PORT.',
      retryable: true,
    });
  }
}
