import { existsSync } from 'node:fs';
import { isSea } from 'node:sea';
import { checkoutAssets, readAsset } from '../core/assets.ts';
import { Failure, reasonOf } from '../core/errors.ts';
import { hostGlibc } from '../core/glibc.ts';
import { candidateFolders, loadFrom } from './native-file.ts';
import type { Candidate } from './native-file.ts';
import { oldestGlibc } from './native-hash.ts';

/** The part of uWebSockets.js 20.69.0 that this product uses; the package ships no types of its own. */
export interface Native {
  /** A server of plain HTTP/1.1. */
  App(): TemplatedApp;
  /** A server of HTTP/1.1 over TLS 1.2 and 1.3. Reads the files once, now; throws when they cannot be used. */
  SSLApp(options: TlsFiles): TemplatedApp;
  /** Stops accepting; connections that are open live on. A socket may be closed once only. */
  us_listen_socket_close(socket: ListenSocket): void;
  /** The port that a socket listens on, also where 0 was asked for. */
  us_socket_local_port(socket: ListenSocket): number;
  /** Option of `listen`: fail when anybody listens on the port already, instead of sharing it (SO_REUSEPORT). */
  readonly LIBUS_LISTEN_EXCLUSIVE_PORT: 1;
}

/** Opaque: the address of a native structure. */
export interface ListenSocket {
  readonly __listenSocket: never;
}

/** Text, or bytes that are sent as they are. */
export type Bytes = string | ArrayBuffer | Uint8Array;
export type Handler = (response: HttpResponse, request: HttpRequest) => void;

/** PEM files. */
export interface TlsFiles {
  readonly key_file_name: string;
  readonly cert_file_name: string;
  readonly ca_file_name?: string;
  readonly passphrase?: string;
  /** OpenSSL's names, for TLS 1.2 only. */
  readonly ssl_ciphers?: string;
  readonly ssl_prefer_low_memory_usage?: boolean;
}

/** Patterns: `/path`, `/path/:parameter`, `/path/*`, `/*`; the more specific wins, whatever the order. */
export interface TemplatedApp {
  get(pattern: string, handler: Handler): this;
  head(pattern: string, handler: Handler): this;
  post(pattern: string, handler: Handler): this;
  put(pattern: string, handler: Handler): this;
  patch(pattern: string, handler: Handler): this;
  del(pattern: string, handler: Handler): this;
  options(pattern: string, handler: Handler): this;
  /** Any method for which the pattern has no route of its own. */
  any(pattern: string, handler: Handler): this;
  /** Calls back at once, with false where the port cannot be had. Without `options` the port is shared. */
  listen(host: string, port: number, options: number, done: (socket: ListenSocket | false) => void): this;
  listen(host: string, port: number, done: (socket: ListenSocket | false) => void): this;
  listen_unix(done: (socket: ListenSocket | false) => void, path: string): this;
  /** Closes everything, open connections too. */
  close(): this;
  /** Tells of connections: `count` is 1 for one that opened and -1 for one that closed. */
  filter(handler: (response: HttpResponse, count: 1 | -1) => void): this;
  /** Routes registered from here on are this name's own. Prints to standard output. */
  domain(name: string): this;
  /** A certificate for a name asked for by SNI; a name given before keeps its first one, and so does a bad pair. */
  addServerName(name: string, options: TlsFiles): this;
  /** Called with a name that no certificate was added for; it may add one. */
  missingServerName(handler: (name: string) => void): this;
}

/** Valid until its handler returns. */
export interface HttpRequest {
  /** The first line of that name, a character for each byte, '' where there is none; the name in lower case. */
  getHeader(name: string): string;
  /** Every header line in the order sent, names in lower case, duplicates too; values are read as UTF-8. */
  forEach(visit: (name: string, value: string) => void): void;
  /** In lower case. */
  getMethod(): string;
  getCaseSensitiveMethod(): string;
  /** The path, as sent. */
  getUrl(): string;
  /** All that follows the question mark, as sent; undefined where there is none. */
  getQuery(): string | undefined;
  /** One parameter, decoded; undefined where it is absent. */
  getQuery(name: string): string | undefined;
  /** The pattern's parameters as sent, by position or name; '' where there is none. */
  getParameter(which: number | string): string;
  /** True: this handler did not answer, the next route that matches shall. */
  setYield(yes: boolean): this;
}

/**
 * Valid until ended or aborted: using it afterwards throws. Who does not end it before the handler returns
 * must have set `onAborted`, and must write inside `cork`.
 */
export interface HttpResponse {
  /** Such as `404 Not Found`; before all headers. */
  writeStatus(status: Bytes): this;
  writeHeader(name: Bytes, value: Bytes): this;
  /** A chunk of a body of unknown length; false when it had to be buffered. */
  write(chunk: Bytes): boolean;
  end(body?: Bytes, closeConnection?: boolean): this;
  /** Ends without a body; `length` is announced as Content-Length, as an answer to HEAD wants it. */
  endWithoutBody(length?: number, closeConnection?: boolean): this;
  /** Sends what the socket takes now: `[all of this chunk taken, whole answer sent]`. */
  tryEnd(chunk: Bytes, totalBytes: number, closeConnection?: boolean): [taken: boolean, done: boolean];
  getWriteOffset(): number;
  onWritable(handler: (offset: number) => boolean): this;
  /** Cuts the connection at once; `onAborted` runs. */
  close(): this;
  /** Several writes as one. */
  cork(write: () => void): this;
  onAborted(handler: () => void): this;
  /** The request's body; a chunk is valid during the call only. */
  onData(handler: (chunk: ArrayBuffer, isLast: boolean) => void): this;
  pause(): this;
  resume(): this;
  /** 4 or 16 bytes; 16 with a mapped IPv4 address where the socket listens on IPv6. */
  getRemoteAddress(): ArrayBuffer;
  /** Text in Latin-1; IPv6 in full, eight groups of four. */
  getRemoteAddressAsText(): ArrayBuffer;
  getRemotePort(): number;
  /** What a PROXY protocol v2 line named; empty without one. Any client can send such a line. */
  getProxiedRemoteAddress(): ArrayBuffer;
  getProxiedRemoteAddressAsText(): ArrayBuffer;
  getProxiedRemotePort(): number;
}

let loaded: Native | undefined;

/**
 * The native server, loaded once in a process. Throws a `Failure` that names every folder tried when none
 * allows to run code, or the host's glibc when that is too old.
 */
export function loadNative(): Native {
  return (loaded ??= load(candidates()));
}

/** As `loadNative`, from the folders given. */
export function load(folders: readonly Candidate[]): Native {
  if (!existsSync('/proc/self/fd'))
    throw new Failure('the server cannot load its native part without /proc', {
      code: 'native-no-proc',
      remedy: 'mount it: mount -t proc proc /proc',
    });
  const outcome = loadFrom(folders, () => readAsset('uws.bin'), uid(), open);
  if ('loaded' in outcome) return outcome.loaded;
  const tried = outcome.skipped.map(({ folder, reason }) => `\n  ${folder}: ${reason}`).join('');
  throw new Failure(`no folder lets the server load its native part; tried:${tried}`, {
    code: 'native-no-folder',
    remedy:
      'mount one of these folders without "noexec" and let this user write to it' +
      (uid() === 0 ? '' : ', or point XDG_CACHE_HOME at a folder where that is so'),
  });
}

function candidates(): Candidate[] {
  const folders = candidateFolders({ env: process.env, uid: uid(), execPath: process.execPath });
  if (isSea()) return folders;
  return [{ folder: checkoutAssets, file: 'uws.bin', ours: false }, ...folders.filter(({ ours }) => ours)];
}

function open(path: string): Native {
  const module = { exports: {} };
  try {
    process.dlopen(module, path);
  } catch (error) {
    throw /version `GLIBC_[\d.]+' not found/.test(reasonOf(error))
      ? glibcTooOld(hostGlibc() ?? 'of an unknown version', error)
      : error;
  }
  return module.exports as Native;
}

/** What a person on a host that is too old is told. */
export function glibcTooOld(found: string, cause?: unknown): Failure {
  return new Failure(`this host is too old: it has glibc ${found}, and ${oldestGlibc} is needed`, {
    code: 'native-glibc',
    remedy: 'use Ubuntu 24.04 or later, or Debian 12 or later',
    cause,
  });
}

function uid(): number {
  return process.getuid?.() ?? -1;
}
