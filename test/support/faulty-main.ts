/**
 * The program with a fault that shows when it serves. Which one is in a file beside the data, so that one build has them all:
 * `exit`, `hang`, `config`, `unwell MS` (its workers stop answering after so long), `stuck MS` (its supervisor does).
 */
import { readFileSync } from 'node:fs';

const [fault = '', ms = '0'] = readFault().split(' ');
const command = process.argv[2];

if (command === 'serve' && fault === 'exit') process.exit(7);
if (command === 'serve' && fault === 'config') process.env['APP_HTTP_PORT'] = 'nonsense';
if (command === 'serve' && fault === 'stuck') stopOnceReady();
if (command === 'worker' && fault === 'unwell') stopOnceReady();
if (command === 'serve' && fault === 'hang') setInterval(() => {}, 1_000_000);
else void import('../../src/main.ts');

/** Does nothing more from so long after it has told that it is ready. */
function stopOnceReady(): void {
  const { send } = process;
  process.send = (...parts: unknown[]) => {
    if ((parts[0] as { type?: unknown }).type === 'ready') {
      setTimeout(() => {
        for (;;);
      }, Number(ms));
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
