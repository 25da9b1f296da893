import type { ChallengeResponder } from '../ports/challenge-responder.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';

/** Challenges as the workers answer them: each holds all that are open, new ones too. */
export function workersAsResponder(supervisor: Pick<Supervisor, 'change'>): ChallengeResponder {
  const open = new Map<string, string>();
  const tell = () => supervisor.change({ challenges: Object.fromEntries(open) });
  return {
    async present(token, keyAuthorization) {
      open.set(token, keyAuthorization);
      await tell();
    },
    async remove(token) {
      open.delete(token);
      // a worker that could not be told answers to a token that nobody asks for
      await tell().catch(() => {});
    },
  };
}
