import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ChallengeResponder } from '../../src/ports/challenge-responder.ts';

/** A plain server of http-01 answers on 127.0.0.1, and on ::1 where there is one. */
export interface ChallengeServer extends ChallengeResponder {
  readonly port: number;
  /** Tokens that are answered now. */
  readonly tokens: ReadonlyMap<string, string>;
  /** Paths that were asked for. */
  readonly asked: readonly string[];
  /** Answers this to everything instead. */
  answerWith(text: string | undefined): void;
  stop(): Promise<void>;
}

export async function startChallengeServer(): Promise<ChallengeServer> {
  const tokens = new Map<string, string>();
  const asked: string[] = [];
  let always: string | undefined;
  const make = () =>
    createServer((request, response) => {
      const path = request.url ?? '';
      asked.push(path);
      const token = /^\/\.well-known\/acme-challenge\/([\w-]+)$/.exec(path)?.[1] ?? '';
      const answer = always ?? tokens.get(token);
      response.writeHead(answer === undefined ? 404 : 200, { 'Content-Type': 'application/octet-stream' });
      response.end(answer);
    });
  const first = make().listen(0, '127.0.0.1');
  await once(first, 'listening');
  const { port } = first.address() as AddressInfo;
  const second = make().listen(port, '::1');
  await once(second, 'listening').catch(() => {});
  return {
    port,
    tokens,
    asked,
    present: async (token, keyAuthorization) => void tokens.set(token, keyAuthorization),
    remove: async (token) => void tokens.delete(token),
    answerWith: (text) => void (always = text),
    async stop() {
      for (const server of [first, second].filter(({ listening }) => listening)) {
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
      }
    },
  };
}
