import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openGeoDatabase } from '../../src/adapters/geo-database-maxmind.ts';
import { parseIpAddress, parseNetwork } from '../../src/core/ip-address.ts';
import { clientAddressRule } from '../../src/http/client-address.ts';
import { createLookup } from '../../src/whoami/lookup.ts';

/**
 * The same work on the server that comes with Node: the caller's address by the same rule, the same look-up, the
 * same headers and body. Prints the port that it listens on.
 */
const lookup = createLookup(openGeoDatabase('/nonexistent'));
const clientOf = clientAddressRule('x-forwarded-for', [parseNetwork('127.0.0.0/8')!]);

const server = createServer((request, response) => {
  const peer = parseIpAddress(request.socket.remoteAddress ?? '');
  if (peer === undefined || request.url !== '/whoami') {
    response.writeHead(404).end();
    return;
  }
  // Node has joined the lines of a header that came more than once.
  const forwarded = request.headers['x-forwarded-for'];
  const { whoamiBody } = lookup(clientOf(peer, forwarded === undefined ? [] : [String(forwarded)]));
  response.writeHead(200, {
    'Content-Type': 'application/json',
    'X-Content-Type-Options': 'nosniff',
    'Access-Control-Allow-Origin': '*',
    'Cache-Control': 'no-store',
    'Content-Length': Buffer.byteLength(whoamiBody),
  });
  response.end(whoamiBody);
});
server.keepAliveTimeout = 300_000;
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listens on ${(server.address() as AddressInfo).port}\n`);
});
