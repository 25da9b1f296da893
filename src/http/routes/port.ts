import { connect } from 'node:net';
import { json } from '../answer.ts';
import { Problem } from '../problem.ts';
import type { Route } from '../router.ts';

const timeoutMs = 2000;
const maxTestsAtOnce = 64;

/** `GET /port/N`: can the caller's own TCP port be reached from here. Only ever connects to the caller. */
export function portRoute(enabled: boolean): Route {
  let testing = 0;
  return {
    path: '/port/:number',
    async handle(request) {
      if (!enabled)
        throw new Problem(404, 'port-test-off', 'The port test is off on this server (APP_PORT_TEST).');
      const digits = request.path.replace(/\/$/, '').slice('/port/'.length);
      const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
      if (port < 1 || port > 65_535) {
        throw new Problem(400, 'port-invalid', 'A port is a whole number from 1 to 65535.');
      }
      if (testing >= maxTestsAtOnce) {
        throw new Problem(429, 'port-tests-busy', 'Too many port tests are running.', { 'Retry-After': '2' });
      }
      const ip = request.client().text;
      testing++;
      try {
        return json(`${JSON.stringify({ ip, port, reachable: await reaches(ip, port) })}\n`);
      } finally {
        testing--;
      }
    },
  };
}

function reaches(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (reachable: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reachable);
    };
    const timer = setTimeout(settle, timeoutMs, false);
    socket.on('connect', () => settle(true));
    socket.on('error', () => settle(false));
  });
}
