import { startProgram } from '../core/start-program.ts';

export interface ProgramRun {
  /** What it reads; nothing where absent. The place for secrets: arguments and environment are for all to see. */
  readonly input?: string;
  /** The whole of it. Nothing of ours is handed on; where absent, a plain path and the C locale. */
  readonly environment?: Readonly<Record<string, string>>;
  /** It is killed then; without a limit where absent. */
  readonly timeoutMs?: number;
}

export interface ProgramResult {
  /** 127 where there is no such program, 124 where it was killed at its time limit. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

const plain = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' };
const notFound = 127;
const timedOut = 124;

/** Runs a program of this host to its end and gives what it wrote, whatever its exit code. Rejects only where none can be started. */
export function runProgram(
  file: string,
  args: readonly string[],
  { input, environment = plain, timeoutMs }: ProgramRun = {},
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = startProgram(file, args, { env: environment, stdio: 'pipe' });
    let late = false;
    const limit =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            late = true;
            child.kill('SIGKILL');
          }, timeoutMs);
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(limit);
      if (error.code === 'ENOENT')
        resolve({ exitCode: notFound, stdout, stderr: `${file} is not installed` });
      else reject(error);
    });
    child.once('close', (status) => {
      clearTimeout(limit);
      resolve({ exitCode: late ? timedOut : (status ?? 1), stdout, stderr });
    });
    // one that ends without reading all of it says why itself
    child.stdin?.on('error', () => {}).end(input);
  });
}
