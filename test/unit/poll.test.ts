import { expect, test } from 'vitest';
import { poll } from '../../src/certificates/poll.ts';
import { AuthorityFailure } from '../../src/ports/certificate-issuer.ts';

const failure = (type: string, retryAfterMs?: number) =>
  new AuthorityFailure(type, {
    authority: 'https://acme.example/dir',
    problem: { type, detail: '', status: undefined, subproblems: [] },
    remedy: '',
    retryable: true,
    retryAfterMs,
  });

/** Answers in turn, the last one for ever; with what was waited between. */
function polling(
  answers: readonly ({ done?: boolean; retryAfterMs?: number } | Error)[],
  deadlineMs = 300_000,
) {
  const waits: number[] = [];
  let asked = 0;
  const result = poll(
    undefined,
    async () => {
      const answer = answers[Math.min(asked++, answers.length - 1)]!;
      if (answer instanceof Error) throw answer;
      return { done: answer.done ?? false, retryAfterMs: answer.retryAfterMs };
    },
    ({ done }) => done,
    {
      clock: { now: () => 0, wait: async (ms) => void waits.push(ms) },
      signal: new AbortController().signal,
      deadlineMs,
      tooLate: () => failure('timeout'),
    },
  );
  return { result, waits };
}

test('asking again waits longer each time, ten seconds at most', async () => {
  const { result, waits } = polling([...Array.from({ length: 8 }, () => ({})), { done: true }]);
  await result;
  expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
});

test('a Retry-After is obeyed, a minute at most', async () => {
  const { result, waits } = polling([
    { retryAfterMs: 3000 },
    { retryAfterMs: 0 },
    { retryAfterMs: 1e9 },
    { done: true },
  ]);
  await result;
  expect(waits).toEqual([3000, 500, 60_000]);
});

test('three failures in a row are borne, the fourth is not', async () => {
  const trouble = ['unreachable', 'timeout', 'serverInternal'].map((type) => failure(type));
  await polling([...trouble, {}, ...trouble, { done: true }]).result;
  await expect(polling([...trouble, failure('unreachable')]).result).rejects.toThrow('unreachable');
});

test.each([failure('malformed'), failure('serverInternal', 3_600_000), new Error('a bug')])(
  'what asking again cannot mend ends it: %s',
  async (error) => {
    const { result, waits } = polling([error]);
    await expect(result).rejects.toBe(error);
    expect(waits).toEqual([]);
  },
);

test('what is never done is given up', async () => {
  const { result, waits } = polling([{}], 20_000);
  await expect(result).rejects.toThrow('timeout');
  expect(waits.reduce((sum, ms) => sum + ms)).toBeLessThanOrEqual(20_000);
});
