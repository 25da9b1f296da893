import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { questionsOn } from '../../src/cli/questions.ts';

const nowhere = { write: () => true };

it('a question ends with the reason of its signal, and with the end of its input', async () => {
  const stopping = new AbortController();
  const input = new PassThrough();
  const asked = questionsOn(input, nowhere, stopping.signal).confirm('Go on?', false);
  stopping.abort(new Error('enough'));
  await expect(asked).rejects.toThrow('enough');
  const ended = new PassThrough();
  const unanswered = questionsOn(ended, nowhere, new AbortController().signal).confirm('Go on?', true);
  ended.end();
  await expect(unanswered).rejects.toMatchObject({ code: 'interrupted' });
});
