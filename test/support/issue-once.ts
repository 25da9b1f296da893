/**
 * A process that gets one certificate and can be killed at any moment: DIRECTORY-URL CA-FILE HTTP-PORT STATE-FILE. What a real
 * store would keep is in the state file, written as a whole. Prints the chain.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createAcmeAuthority } from '../../src/adapters/acme-authority-acme-client.ts';
import { createIssuer } from '../../src/certificates/order.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { PendingOrder, StoredAccount } from '../../src/ports/certificate-store.ts';

interface State {
  account?: StoredAccount;
  order?: PendingOrder | undefined;
}

const [directoryUrl = '', caFile = '', httpPort = '', stateFile = ''] = process.argv.slice(2);
const read = () => JSON.parse(readFileSync(stateFile, 'utf8')) as State;
const write = (change: State) => {
  writeFileSync(`${stateFile}.new`, JSON.stringify({ ...read(), ...change }));
  renameSync(`${stateFile}.new`, stateFile);
};
const store = {
  load: async () => undefined,
  account: async () => read().account,
  saveAccount: async (_: string, account: StoredAccount) => write({ account }),
  order: async () => read().order,
  saveOrder: async (_: object, order: PendingOrder) => write({ order }),
  removeOrder: async () => write({ order: undefined }),
};
const tokens = new Map<string, string>();
const server = createServer((request, response) => {
  const answer = tokens.get(request.url?.split('/').at(-1) ?? '');
  response.writeHead(answer === undefined ? 404 : 200).end(answer);
}).listen(Number(httpPort), '127.0.0.1');
const log = { debug() {}, info() {}, warn() {}, error() {}, debugging: false };
const authority = createAcmeAuthority({
  directoryUrl,
  caFile,
  email: undefined,
  externalBinding: undefined,
  store,
  clock: systemClock,
});
const issuer = createIssuer({
  authority,
  store,
  responder: {
    present: async (token, keyAuthorization) => void tokens.set(token, keyAuthorization),
    remove: async (token) => void tokens.delete(token),
  },
  dnsHook: undefined,
  clock: systemClock,
  log,
});
const { chain } = await issuer.issue(
  {
    names: ['a.example.test', 'b.example.test'],
    keyType: 'ecdsa-p256',
    profile: undefined,
    replaces: undefined,
    keep: true,
  },
  () => {},
  AbortSignal.timeout(60_000),
);
server.closeAllConnections();
server.close();
process.stdout.write(chain);
