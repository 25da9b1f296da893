import { createInterface } from 'node:readline';
import { Failure } from '../core/errors.ts';
import type { Output } from './command.ts';

/** What a person answered, or in which words it is no answer. */
export type Judged<T> = { readonly value: T } | { readonly problem: string };

export interface Questions {
  /** Asks until the answer is one. */
  ask<T>(question: string, judge: (answer: string) => Judged<T>): Promise<T>;
  /** Yes or no; Enter alone is `usually`. */
  confirm(question: string, usually: boolean): Promise<boolean>;
  close(): void;
}

/**
 * Asks a person on a terminal, one line after the other; what was typed ahead counts for the questions to come. Rejects with
 * `interrupted` where the input ends, or with the reason of the signal.
 */
export function questionsOn(input: NodeJS.ReadableStream, output: Output, signal?: AbortSignal): Questions {
  const lines = createInterface({ input, terminal: false });
  const waiting: string[] = [];
  let ended = false;
  let wake = (): void => {};
  lines.on('line', (line) => {
    waiting.push(line);
    wake();
  });
  lines.on('close', () => {
    ended = true;
    wake();
  });
  const end = () => lines.close();
  signal?.addEventListener('abort', end);
  const next = async (): Promise<string> => {
    while (waiting.length === 0) {
      signal?.throwIfAborted();
      if (ended) throw endOfInput();
      await new Promise<void>((resolve) => (wake = resolve));
    }
    return waiting.shift() ?? '';
  };
  const ask = async <T>(question: string, judge: (answer: string) => Judged<T>): Promise<T> => {
    for (;;) {
      output.write(`${question} `);
      const judged = judge((await next()).trim());
      if ('value' in judged) return judged.value;
      output.write(`  ${judged.problem}\n`);
    }
  };
  return {
    ask,
    confirm: (question, usually) =>
      ask(`${question} ${usually ? '[Y/n]' : '[y/N]'}`, (answer) => {
        if (answer === '') return { value: usually };
        if (/^y(es)?$/i.test(answer)) return { value: true };
        if (/^no?$/i.test(answer)) return { value: false };
        return { problem: 'Please answer with yes or no.' };
      }),
    close() {
      signal?.removeEventListener('abort', end);
      lines.close();
    },
  };
}

function endOfInput(): Failure {
  return new Failure('the input ended before all was answered; nothing was changed', {
    code: 'interrupted',
    remedy: 'run it again, or say everything with flags: --help lists them',
  });
}
