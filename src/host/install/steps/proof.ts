import { setTimeout as wait } from 'node:timers/promises';
import { request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { checkServerIdentity, type PeerCertificate, rootCertificates, type TLSSocket } from 'node:tls';
import { standInName } from '../../../core/certificate-facts.ts';
import { exitCodes, Failure, reasonOf } from '../../../core/errors.ts';
import { isIpAddress } from '../../../core/ip-address.ts';
import type { Step } from '../plan.ts';

export interface ProofParts {
  /** The names that are asked for over HTTPS; the first over HTTP too. */
  readonly names: readonly string[];
  /** Where the host is reached: one of its own addresses. */
  readonly address: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** PEM of a private authority. */
  readonly anchor: string | undefined;
}

const timeoutMs = 10_000;
const patienceMs = 10_000;
const pollMs = 250;

/** Asks the service as a caller does: by name, over HTTPS with a chain that verifies, and over plain HTTP. */
export function proofStep({ names, address, httpPort, httpsPort, anchor }: ProofParts): Step {
  return {
    name: 'proof',
    does: `ask ${names.length === 0 ? address : names.join(', ')} over HTTPS and HTTP, as callers do`,
    look: () => Promise.resolve({ state: 'check', words: 'always asked' }),
    async act({ progress, warn, signal }) {
      for (const name of names) {
        const { issuer, doubt } = await patiently(
          signal,
          async () => {
            const answer = await askSecurely(name, address, httpsPort, anchor);
            if (answer.status !== 200) throw unproven(`https://${name}/whoami answers ${answer.status}`);
            return answer;
          },
          ({ isStandIn }) => !isStandIn,
        );
        if (doubt === undefined) progress(`https://${name}/whoami answers, certified by ${issuer}`);
        else warn(`https://${name}/whoami answers, but ${doubt}`);
      }
      const name = names[0] ?? address;
      await patiently(signal, async () => {
        const status = await ask(name, address, httpPort);
        if (![200, 307, 308].includes(status)) throw unproven(`http://${name}/whoami answers ${status}`);
      });
      progress(`http://${name}/whoami answers`);
    },
  };
}

/** Workers that are being replaced may answer once more, with the certificate from before; so may one that has yet to change it. */
async function patiently<Result>(
  signal: AbortSignal,
  attempt: () => Promise<Result>,
  isLasting: (result: Result) => boolean = () => true,
): Promise<Result> {
  const giveUpAt = performance.now() + patienceMs;
  for (;;) {
    try {
      const result = await attempt();
      if (isLasting(result) || performance.now() > giveUpAt) return result;
    } catch (error) {
      signal.throwIfAborted();
      if (performance.now() > giveUpAt) throw error;
    }
    await wait(pollMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

interface Answer {
  readonly status: number;
  readonly issuer: string;
  /** Our own, which serves until an authority has given one. */
  readonly isStandIn: boolean;
  /** What a caller may not like about the chain. */
  readonly doubt: string | undefined;
}

/** Roots that this program does not know: a private authority's, or one for trials. */
const unknownRoot =
  /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|UNABLE_TO_VERIFY_LEAF_SIGNATURE)$/;

function askSecurely(
  name: string,
  address: string,
  port: number,
  anchor: string | undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asking = secureRequest(
      {
        host: address,
        port,
        path: '/whoami',
        headers: { host: hostHeader(name, port, 443), accept: 'application/json', connection: 'close' },
        // no server name for an address (RFC 6066 §3)
        servername: isIpAddress(name) ? '' : name,
        ca: [...rootCertificates, ...(anchor === undefined ? [] : [anchor])],
        // judged below, where each fault has its own words
        rejectUnauthorized: false,
        agent: false,
        timeout: timeoutMs,
      },
      (answer) => {
        const socket = answer.socket as TLSSocket;
        const certificate = socket.getPeerCertificate();
        const fault = String(socket.authorizationError ?? '');
        const wrongName = checkServerIdentity(name, certificate);
        answer.resume();
        if (wrongName !== undefined) reject(unproven(`https://${name}: ${wrongName.message}`));
        else if (fault !== '' && !unknownRoot.test(codeOf(socket)))
          reject(unproven(`https://${name}: the chain does not verify: ${fault}`));
        else
          resolve({
            status: answer.statusCode ?? 0,
            issuer: issuerOf(certificate),
            isStandIn: certificate.subject?.CN === standInName,
            doubt: fault === '' ? undefined : doubtOf(certificate, anchor),
          });
      },
    );
    asking.once('timeout', () => asking.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
    asking.once('error', (error) => reject(unproven(`https://${name}/whoami: ${reasonOf(error)}`, error)));
    asking.end();
  });
}

function codeOf(socket: TLSSocket): string {
  const error: unknown = socket.authorizationError;
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

function doubtOf(certificate: PeerCertificate, anchor: string | undefined): string {
  const issuer = issuerOf(certificate);
  return anchor === undefined
    ? `the chain ends at no authority that callers know (${issuer})`
    : `callers have to trust another root than the one in the file of the authority (issued by ${issuer})`;
}

function issuerOf({ issuer }: PeerCertificate): string {
  const { O, CN } = issuer ?? {};
  return [O, CN].flat().filter(Boolean).join(' ') || 'an unnamed authority';
}

function ask(name: string, address: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const asking = plainRequest(
      {
        host: address,
        port,
        path: '/whoami',
        headers: { host: hostHeader(name, port, 80), accept: 'application/json', connection: 'close' },
        agent: false,
        timeout: timeoutMs,
      },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode ?? 0);
      },
    );
    asking.once('timeout', () => asking.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
    asking.once('error', (error) => reject(unproven(`http://${name}/whoami: ${reasonOf(error)}`, error)));
    asking.end();
  });
}

function hostHeader(name: string, port: number, usual: number): string {
  const host = name.includes(':') ? `[${name}]` : name;
  return port === usual ? host : `${host}:${port}`;
}

function unproven(message: string, cause?: unknown): Failure {
  return new Failure(message, {
    code: 'proof-failed',
    exitCode: exitCodes.checkFailed,
    retryable: true,
    remedy: 'see "sudo appliance status" and "journalctl --unit appliance"',
    ...(cause === undefined ? {} : { cause }),
  });
}
