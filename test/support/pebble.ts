import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { makeListenerCertificate } from './listener-certificate.ts';
import { findPebble, type PebbleFeatures, type PebbleProgram } from './pebble-program.ts';
import { until } from './until.ts';

export interface PebbleOptions {
  /** Where it asks for http-01; a free port where none is named. */
  readonly httpPort?: number;
  /** Life of the certificates of each profile, seconds. One: the default for all orders. */
  readonly profiles?: Readonly<Record<string, number>>;
  /** Per cent of good nonces that it refuses all the same. */
  readonly nonceReject?: number;
  /** Waits up to that many seconds before it validates. */
  readonly sleepSeconds?: number;
  /** Per cent of valid authorizations that a new order takes over. */
  readonly authzReuse?: number;
  /** Accounts need one of these bindings: key identifier and base64url of the HMAC key. */
  readonly eab?: Readonly<Record<string, string>>;
  readonly blockedDomains?: readonly string[];
  /** The Retry-After that it sends with what is under way, seconds. */
  readonly retryAfterSeconds?: number;
  /** What it listens on; a free port where none is named, of 127.0.0.1. */
  readonly port?: number;
  readonly address?: string;
  /** Whom it asks for addresses, `ADDRESS:PORT`, in place of challtestsrv. */
  readonly dnsServer?: string;
  /** Life of its own HTTPS certificate, milliseconds since 1970. */
  readonly listenerLife?: { readonly notBefore?: number; readonly notAfter?: number };
}

/** A running Pebble with the DNS server that it asks. */
export interface Pebble {
  readonly port: number;
  readonly directoryUrl: string;
  /** PEM file of who signed its own HTTPS listener: `CERT_CA_FILE`. */
  readonly caFile: string;
  readonly httpPort: number;
  readonly managementUrl: string;
  /** Plain HTTP: `/add-a`, `/set-txt`, `/clear-txt`, `/add-caa`, … take JSON. */
  readonly challtestsrvUrl: string;
  /** For `dns.Resolver`: the server of `challtestsrv`, where every name is 127.0.0.1. */
  readonly dnsServer: string;
  readonly features: PebbleFeatures;
  /** PEM of the root that its certificates lead to; another one at each start. */
  root(): Promise<string>;
  /** Sets what it answers about a certificate (PEM) at renewalInfo (RFC 9773): an object, or text as it is. */
  setRenewalInfo(certificate: string, answer: object | string): Promise<void>;
  /** Posts JSON to challtestsrv. */
  dns(path: string, body: object): Promise<void>;
  log(): string;
  /** Ends both and waits; its memory is gone then. */
  stop(): Promise<void>;
}

/** What is on which port of 127.0.0.1, unless there is another address, and the certificate of its own listener. */
export interface PebblePlaces {
  readonly address?: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly port: number;
  readonly managementPort: number;
  readonly httpPort: number;
  readonly tlsPort: number;
}

/** The content of its configuration file. */
export function pebbleConfiguration(options: PebbleOptions, places: PebblePlaces): object {
  const profiles = options.profiles ?? { default: 90 * 86_400 };
  return {
    pebble: {
      listenAddress: `${places.address ?? '127.0.0.1'}:${places.port}`,
      managementListenAddress: `127.0.0.1:${places.managementPort}`,
      certificate: places.certificateFile,
      privateKey: places.keyFile,
      httpPort: places.httpPort,
      tlsPort: places.tlsPort,
      externalAccountBindingRequired: options.eab !== undefined,
      externalAccountMACKeys: options.eab ?? {},
      domainBlocklist: options.blockedDomains ?? [],
      retryAfter: { authz: options.retryAfterSeconds ?? 0, order: options.retryAfterSeconds ?? 0 },
      keyAlgorithm: 'ecdsa',
      certificateValidityPeriod: Object.values(profiles)[0],
      profiles: Object.fromEntries(
        Object.entries(profiles).map(([name, validityPeriod]) => [
          name,
          { description: `${validityPeriod} seconds`, validityPeriod },
        ]),
      ),
    },
  };
}

/** For a DNS server at those addresses that says 127.0.0.1 to every name. */
export function challtestsrvArguments(
  { challtestsrvFlags }: PebbleProgram,
  dnsAddress: string,
  managementAddress: string,
): string[] {
  const flags: Readonly<Record<string, string>> = {
    http01: '',
    https01: '',
    tlsalpn01: '',
    doh: '',
    defaultIPv6: '',
    dns01: dnsAddress,
    dnsserver: dnsAddress,
    management: managementAddress,
  };
  const known = Object.entries(flags).filter(([flag]) => challtestsrvFlags.includes(flag));
  return known.map(([flag, value]) => `-${flag}=${value}`);
}

/** Starts both on free ports of 127.0.0.1; resolves once they answer. */
export async function startPebble(options: PebbleOptions = {}): Promise<Pebble> {
  const program = findPebble();
  const folder = mkdtempSync(join(tmpdir(), 'pebble-test-'));
  const address = options.address ?? '127.0.0.1';
  const listener = await makeListenerCertificate(folder, { ...options.listenerLife, address });
  const [managementPort, dnsPort, dnsManagementPort, tlsPort] = await Promise.all([
    freePort(),
    freePort(),
    freePort(),
    freePort(),
  ]);
  const port = options.port ?? (await freePort());
  const httpPort = options.httpPort ?? (await freePort());
  const configuration = pebbleConfiguration(options, {
    certificateFile: listener.certificateFile,
    keyFile: listener.keyFile,
    address,
    port,
    managementPort,
    httpPort,
    tlsPort,
  });
  const configurationFile = join(folder, 'pebble.json');
  writeFileSync(configurationFile, JSON.stringify(configuration));

  const dnsAddress = `127.0.0.1:${dnsPort}`;
  const challtestsrv = start(
    program.challtestsrv,
    challtestsrvArguments(program, dnsAddress, `127.0.0.1:${dnsManagementPort}`),
  );
  const dnsServer = options.dnsServer ?? dnsAddress;
  const pebble = start(program.pebble, ['-config', configurationFile, '-dnsserver', dnsServer], {
    PEBBLE_WFE_NONCEREJECT: String(options.nonceReject ?? 0),
    PEBBLE_AUTHZREUSE: String(options.authzReuse ?? 0),
    ...(options.sleepSeconds === undefined
      ? { PEBBLE_VA_NOSLEEP: '1' }
      : { PEBBLE_VA_SLEEPTIME: String(options.sleepSeconds) }),
  });
  const agent = new Agent({ ca: readFileSync(listener.caFile) });
  const managementUrl = `https://127.0.0.1:${managementPort}`;
  const challtestsrvUrl = `http://127.0.0.1:${dnsManagementPort}`;
  const ask = async (url: string, body?: string): Promise<string> => {
    const method = body === undefined ? 'GET' : 'POST';
    const sent = request(url, { agent, method, headers: { 'User-Agent': 'tests' } });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of response) text += String(chunk);
    if (response.statusCode !== 200) throw new Error(`${url} answered ${response.statusCode}: ${text}`);
    return text;
  };
  const dns = async (path: string, body: object) => {
    const response = await fetch(challtestsrvUrl + path, { method: 'POST', body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  };
  const stop = async () => {
    agent.destroy();
    await Promise.all([pebble.stop(), challtestsrv.stop()]);
    rmSync(folder, { recursive: true, force: true });
  };
  const directoryUrl = `https://${address}:${port}/dir`;
  const answers = (action: () => Promise<unknown>) => async () => {
    if (pebble.ended() || challtestsrv.ended())
      throw new Error(`Pebble ended: ${pebble.log()}${challtestsrv.log()}`);
    return action().then(
      () => true,
      () => false,
    );
  };
  // its certificate may be one that nobody trusts
  const accepts = async (host: string, listening: number) => {
    const socket = connect(listening, host);
    try {
      await once(socket, 'connect');
    } finally {
      socket.destroy();
    }
  };
  try {
    await until(
      'Pebble listens',
      answers(() => accepts(address, port)),
    );
    await until(
      'its management listens',
      answers(() => accepts('127.0.0.1', managementPort)),
    );
    const clear = { host: 'nobody.invalid' };
    await until(
      'challtestsrv answers',
      answers(() => dns('/clear-txt', clear)),
    );
  } catch (error) {
    await stop();
    throw new Error(`Pebble did not come up: ${pebble.log()}${challtestsrv.log()}`, { cause: error });
  }
  return {
    port,
    directoryUrl,
    caFile: listener.caFile,
    httpPort,
    managementUrl,
    challtestsrvUrl,
    dnsServer,
    features: program.features,
    root: () => ask(`${managementUrl}/roots/0`),
    async setRenewalInfo(certificate, answer) {
      const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
      // it takes the first certificate of the text, which must stand alone
      const leaf = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----\n?/.exec(certificate)?.[0];
      await ask(
        `${managementUrl}/set-renewal-info/`,
        JSON.stringify({ Certificate: leaf, ARIResponse: text }),
      );
    },
    dns,
    log: pebble.log,
    stop,
  };
}

function start(file: string, parameters: readonly string[], environment: Record<string, string> = {}) {
  const child: ChildProcess = spawn(file, parameters, {
    env: { PATH: process.env['PATH'], ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stdout!.on('data', (chunk) => (log += String(chunk)));
  child.stderr!.on('data', (chunk) => (log += String(chunk)));
  const closed = once(child, 'close');
  let ended = false;
  // a test that failed outside its own cleaning up leaves nothing behind
  const end = () => void child.kill('SIGKILL');
  process.once('exit', end);
  void closed.then(() => {
    ended = true;
    process.off('exit', end);
  });
  return {
    log: () => log,
    ended: () => ended,
    async stop() {
      end();
      await closed;
    },
  };
}
