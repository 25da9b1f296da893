import { ipAddressFromBytes, type IpAddress } from '../core/ip-address.ts';
import type { HttpResponse } from './native.ts';

/** Knows who is at the other end of each connection of a server. */
export interface Peers {
  /** To be called for each connection that opens or closes, before any request of it is read. */
  connection(response: HttpResponse, opened: boolean): void;
  of(response: HttpResponse): IpAddress;
}

/**
 * Asking the native server costs more than the rest of a request's reading, so while all open connections come
 * from one address, as they do behind a proxy on the same host, it is not asked.
 */
export function createPeers(): Peers {
  let open = 0;
  let only: IpAddress | undefined;
  return {
    connection(response, opened) {
      open += opened ? 1 : -1;
      if (!opened) return;
      const address = ask(response);
      if (open === 1) only = address;
      else if (only?.text !== address.text) only = undefined;
    },
    of: (response) => only ?? ask(response),
  };
}

function ask(response: HttpResponse): IpAddress {
  return ipAddressFromBytes(response.getRemoteAddress());
}
