/**
 * A process with a control socket below the folder that it is given, for tests that kill it. Prints a line when it
 * listens; `renew-certs` never ends, so that it can be killed in the middle.
 */
import { startControl } from '../../src/supervisor/control.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {}, debugging: false };

await startControl({
  folder: process.argv[2] ?? '',
  log: quiet,
  handlers: {
    status: async () => ({
      version: '0.0.0',
      pid: process.pid,
      startedAt: 0,
      listenHost: '127.0.0.1',
      httpPort: 80,
      workers: [],
      certificates: [],
    }),
    renewCerts(_options, progress) {
      progress('started');
      return new Promise(() => {});
    },
    importCertificate: () => Promise.reject(new Error('not here')),
    upgrade: () => Promise.reject(new Error('not here')),
  },
});
process.stdout.write('listening\n');
