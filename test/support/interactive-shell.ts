import { spawn } from 'node:child_process';
import { until } from './until.ts';

/** A shell at a terminal, typed at by keys. */
export interface InteractiveShell {
  /** Types keys and gives what the terminal shows from then on, once it shows the mark. */
  type(keys: string, mark: string | RegExp): Promise<string>;
  end(): void;
}

/** `command` is one for the shell that runs it, such as `bash --norc -i`. */
export function startShell(command: string, folder: string): InteractiveShell {
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    cwd: folder,
    env: { PATH: process.env['PATH'] ?? '', HOME: folder, TERM: 'dumb', LC_ALL: 'C.UTF-8' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
  child.stdin.on('error', () => undefined);
  return {
    async type(keys, mark) {
      const from = shown.length;
      child.stdin.write(keys);
      await until(`${JSON.stringify(keys)} shows ${String(mark)}`, () => shown.slice(from).search(mark) >= 0);
      return shown.slice(from);
    },
    end: () => void child.kill('SIGKILL'),
  };
}
