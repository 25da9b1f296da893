import { Failure } from '../../core/errors.ts';
import { runProgram } from '../run-program.ts';

/** A container in as few words as docker has for it. */
export interface GlancedContainer {
  readonly service: string;
  /** running, exited, restarting, … */
  readonly state: string;
  /** healthy, unhealthy, starting; undefined where it has no such check, or does not run. */
  readonly health: string | undefined;
}

/** Whoever asks how things are wants to know at once. */
const limitMs = 1000;

/** The containers of our project in one call of docker. Rejects with `docker-failed` or `docker-denied` where it does not tell within a second. */
export async function glanceAtContainers(): Promise<readonly GlancedContainer[]> {
  const { exitCode, stdout, stderr } = await runProgram(
    'docker',
    [
      'ps',
      '--all',
      '--filter=label=com.docker.compose.project=appliance',
      '--format={{.Label "com.docker.compose.service"}}\t{{.State}}\t{{.Status}}',
    ],
    { timeoutMs: limitMs },
  );
  if (exitCode !== 0) throw failure(exitCode, stderr);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines
    .map((line) => {
      const [service = '', state = '', status = ''] = line.split('\t');
      return { service, state, health: /\((?:health: )?(\w+)\)$/.exec(status)?.[1] };
    })
    .sort((a, b) => (a.service < b.service ? -1 : 1));
}

function failure(exitCode: number, stderr: string): Failure {
  if (/permission denied/i.test(stderr)) {
    return new Failure('this user may not see them: use sudo', { code: 'docker-denied' });
  }
  const why =
    exitCode === 127
      ? 'docker is not installed'
      : exitCode === 124
        ? `docker has said nothing for ${limitMs / 1000} s`
        : 'docker does not answer';
  return new Failure(`not known, ${why}: sudo appliance doctor`, { code: 'docker-failed' });
}
