import { readFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { standIn } from '../../src/adapters/stand-in.ts';
import { proofStep } from '../../src/host/install/steps/proof.ts';
import { madeCertificate } from '../support/made-certificate.ts';

let folder: string;
const servers: Server[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'proof-'));
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  rmSync(folder, { recursive: true });
});

async function portOf(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

describe('the proof of an install', () => {
  it('asks again where it meets the stand-in, which may be about to go', async () => {
    const { chainFile, keyFile } = await standIn(folder, ['a.test']);
    const { chain, key, authority } = await madeCertificate(['a.test']);
    const first = { cert: readFileSync(chainFile), key: readFileSync(keyFile) };
    const secure = createSecureServer(first, (_request, response) => {
      response.end();
      secure.setSecureContext({ cert: chain, key });
    });
    const told: string[] = [];
    const warnings: string[] = [];
    await proofStep({
      names: ['a.test'],
      address: '127.0.0.1',
      httpPort: await portOf(createServer((_request, response) => response.end())),
      httpsPort: await portOf(secure),
      anchor: authority,
    }).act({
      progress: (words) => told.push(words),
      warn: (words) => warnings.push(words),
      signal: new AbortController().signal,
    });
    expect(warnings).toEqual([]);
    expect(told[0]).toContain('certified by made authority');
  });
});
