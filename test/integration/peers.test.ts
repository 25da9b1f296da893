import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { startAppliance } from '../support/appliance.ts';
import { randomNumbers } from '../support/random-numbers.ts';

/** Each connection's own address, however connections from several addresses come, go and take turns. */
it('a caller is never taken for another one whose connection is open, was open or comes next', async () => {
  const appliance = await startAppliance({
    environment: { APP_TRUSTED_PROXIES: 'none' },
    flags: ['--workers', '1'],
  });
  const random = randomNumbers(7);
  const one = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const addresses = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
  let open: { socket: Socket; address: string }[] = [];

  for (let step = 0; step < 1500; step++) {
    const choice = random();
    // Now and then everybody leaves, so that a single address, then several, have the server to themselves.
    if (choice < 0.02) {
      for (const { socket } of open) socket.destroy();
      open = [];
    } else if (choice < 0.3 || open.length === 0) {
      const address = choice < 0.15 ? one(addresses) : (open[0]?.address ?? one(addresses));
      const socket = connect({ port: appliance.port, host: '127.0.0.1', localAddress: address });
      await once(socket, 'connect');
      open.push({ socket, address });
    } else if (choice < 0.45) {
      const leaving = one(open);
      leaving.socket.destroy();
      open = open.filter((each) => each !== leaving);
    } else {
      const { socket, address } = one(open);
      socket.write('GET /ip HTTP/1.1\r\nHost: a\r\n\r\n');
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      expect(String(chunk).split('\r\n\r\n')[1]).toBe(`${address}\n`);
    }
  }
  for (const { socket } of open) socket.destroy();
  await appliance.stop();
});
