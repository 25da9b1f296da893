/**
 * The program with a fault that shows when it serves. Which one is in a file beside the data, so that one build has them all:
 * `exit`, `hang`, `config`, `unwell WHEN` (its workers stop answering), `stuck WHEN` (its supervisor does). WHEN: so many
 * milliseconds after it was ready, or once there is a file of that name.
 */
import { existsSync, readFileSync } from 'node:fs';

const [fault = '', when = '0'] = readFault().split(' ');
const command = process.argv[2];

if (command === 'serve' && fault === 'exit') process.exit(7);
if (command === 'serve' && fault === 'config') process.env['APP_HTTP_PORT'] = 'nonsense';
if (command === 'serve' && fault === 'stuck') stopOnceReady();
if (command === 'worker' && fault === 'unwell') stopOnceReady();
if (command === 'serve' && fault === 'hang') setInterval(() => {}, 1_000_000);
else void import('../../src/main.ts');

/** Does nothing more from then on, after it has told that it is ready. */
function stopOnceReady(): void {
  const { send } = process;
  process.send = (...parts: unknown[]) => {
    if ((parts[0] as { type?: unknown }).type === 'ready') {
      const stop = (): void => {
        for (;;);
      };
      if (when.startsWith('/')) setInterval(() => existsSync(when) && stop(), 50).unref();
      else setTimeout(stop, Number(when)).unref();
    }
    return (send as (...parts: unknown[]) => boolean).apply(process, parts);
  };
}

function readFault(): string {
  try {
    return readFileSync('/run/appliance-fault', 'utf8').trim();
  } catch {
    return process.env['APPLIANCE_FAULT'] ?? '';
  }
}
