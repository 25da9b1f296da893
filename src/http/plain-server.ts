import type { Registration } from './exchange.ts';
import { freeIt, ListenError } from './listen-error.ts';
import { createListener } from './listener.ts';
import { loadNative, type HttpResponse, type ListenSocket, type TemplatedApp } from './native.ts';

/** Tells of each connection that opens (1) or closes (-1), before any request of it is read. */
export type ConnectionWatch = (response: HttpResponse, change: 1 | -1) => void;

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly register: Registration;
  readonly watch: ConnectionWatch;
}

/** Something that listens, until it is closed: then each connection ends with its next answer, an idle one by its time-out of ten seconds. */
export interface PlainServer {
  /** Also where 0 was asked for. */
  readonly port: number;
  /** Called again, it does nothing. */
  close(): void;
}

/**
 * Listens for plain HTTP/1.1, sharing the port with the other workers (SO_REUSEPORT). Throws ListenError when the
 * port cannot be had.
 */
export function startPlainServer({ host, port, register, watch }: ListenOptions): PlainServer {
  const native = loadNative();
  const app = native.App();
  const listener = createListener(false);
  register(app, listener);
  app.filter(watch);
  const socket = listen(app, host, port);
  let closed = false;
  return {
    port: native.us_socket_local_port(socket),
    close() {
      // the native socket is freed by the first time
      if (closed) return;
      closed = true;
      listener.endAll();
      native.us_listen_socket_close(socket);
    },
  };
}

/** Shares the port with whoever shares it as well. Throws ListenError. */
export function listen(app: TemplatedApp, host: string, port: number): ListenSocket {
  let listening: ListenSocket | false = false;
  app.listen(host, port, (socket) => {
    listening = socket;
  });
  if (!listening) throw new ListenError(host, port, 'it is taken, or this user may not open it', freeIt);
  return listening;
}
