import { request } from 'node:http';

import type { ChallengeProbe, ProbeResult } from '../ports/challenge-probe.ts';

const maxBodyBytes = 1024;

/** `port` is where authorities ask, 80 but in tests; each question has `timeoutMs` in all. */
export function createChallengeProbe({ port = 80, timeoutMs = 2500 } = {}): ChallengeProbe {
  return {
    fetch(host, address, token, signal) {
      const { promise, resolve } = Promise.withResolvers<ProbeResult>();
      let connected = false;
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      const asked = request({
        host: address,
        port,
        path: `/.well-known/acme-challenge/${token}`,
        headers: { host: host.includes(':') ? `[${host}]` : host, 'user-agent': 'appliance (self-check)' },
        agent: false,
        signal: limit,
      });
      asked.on('socket', (socket) => socket.once('connect', () => (connected = true)));
      asked.on('error', (error) =>
        resolve(limit.aborted ? { kind: 'silent', connected } : { kind: kindOf(error) }),
      );
      asked.on('response', (response) => {
        let body = '';
        const done = () => {
          const { location } = response.headers;
          const server = response.headersDistinct['server']?.[0];
          resolve({ kind: 'answer', status: response.statusCode ?? 0, body, server, location });
          asked.destroy();
        };
        response.setEncoding('latin1').on('data', (chunk: string) => {
          body = (body + chunk).slice(0, maxBodyBytes);
          if (body.length === maxBodyBytes) done();
        });
        response.on('end', done);
        response.on('error', () =>
          resolve(limit.aborted ? { kind: 'silent', connected } : { kind: 'refused' }),
        );
      });
      asked.end();
      return promise;
    },
  };
}

function kindOf(error: Error): 'no-route' | 'refused' | 'not-http' {
  const code = 'code' in error ? String(error.code) : '';
  if (code.startsWith('HPE_')) return 'not-http';
  return ['ENETUNREACH', 'EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes(code) ? 'no-route' : 'refused';
}
