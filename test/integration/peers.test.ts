import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startAppliance, type Appliance } from '../support/appliance.ts';

let appliance: Appliance;
beforeAll(async () => {
  appliance = await startAppliance({ flags: ['--workers', '1'] });
});
afterAll(() => appliance.stop());

/** A connection that stays open, from an address of this host. */
async function from(localAddress: string): Promise<Socket> {
  const socket = connect({ port: appliance.port, host: '127.0.0.1', localAddress });
  await once(socket, 'connect');
  return socket;
}

async function addressSeen(socket: Socket): Promise<string> {
  socket.write('GET /ip HTTP/1.1\r\nHost: a\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  return answer.toString().split('\r\n\r\n')[1]!.trim();
}

it('each connection is told its own address, whoever else is connected, comes and goes', async () => {
  const first = await from('127.0.0.1');
  expect(await addressSeen(first)).toBe('127.0.0.1');
  const second = await from('127.0.0.2');
  expect(await addressSeen(second)).toBe('127.0.0.2');
  expect(await addressSeen(first)).toBe('127.0.0.1');
  const third = await from('127.0.0.1');
  expect(await addressSeen(third)).toBe('127.0.0.1');
  expect(await addressSeen(second)).toBe('127.0.0.2');
  for (const socket of [first, third]) {
    socket.destroy();
    await once(socket, 'close');
  }
  expect(await addressSeen(second)).toBe('127.0.0.2');
  const fourth = await from('127.0.0.3');
  expect(await addressSeen(fourth)).toBe('127.0.0.3');
  expect(await addressSeen(second)).toBe('127.0.0.2');
  for (const socket of [second, fourth]) {
    socket.destroy();
    await once(socket, 'close');
  }
  const last = await from('127.0.0.4');
  expect(await addressSeen(last)).toBe('127.0.0.4');
  last.destroy();
});
