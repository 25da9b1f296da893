import { Failure } from '../core/errors.ts';

/** A port cannot be listened on. `why` is for people, `remedy` says what to do about it. */
export class ListenError extends Failure {
  constructor(host: string, port: number, why: string, remedy: string) {
    super(`cannot listen on ${host.includes(':') ? `[${host}]` : host}:${port}: ${why}`, {
      code: 'listen-failed',
      remedy,
      retryable: true,
    });
  }

  /** From the system's error. `holder` names whoever has the port, where that is known. */
  static from(host: string, port: number, error: NodeJS.ErrnoException, holder?: string): ListenError {
    switch (error.code) {
      case 'EADDRINUSE':
        return new ListenError(host, port, `the port is taken${holder ? ` by ${holder}` : ''}`, freeIt);
      case 'EACCES':
        return new ListenError(
          host,
          port,
          'this user may not open it',
          'Start with the right to open ports below 1024 (CAP_NET_BIND_SERVICE), or choose a higher port.',
        );
      case 'EADDRNOTAVAIL':
        return new ListenError(
          host,
          port,
          'this host has no such address',
          'Choose an address of this host.',
        );
      case 'EAFNOSUPPORT':
        return new ListenError(
          host,
          port,
          'this kernel has no IPv6',
          'Listen on IPv4 alone: set APP_LISTEN_HOST=0.0.0.0.',
        );
      default:
        return new ListenError(host, port, error.message, freeIt);
    }
  }
}

export const freeIt = 'Stop what holds the port, or choose another.';
