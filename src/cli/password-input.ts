import type { ReadStream } from 'node:tty';
import { stripVTControlCharacters } from 'node:util';
import { Failure, UsageError } from '../core/errors.ts';
import type { Output } from './command.ts';

/** Standard input: a terminal, a pipe or a file. */
export type Input = NodeJS.ReadableStream & Partial<Pick<ReadStream, 'isTTY' | 'setRawMode'>>;

const maxBytes = 65_536;

/** All of standard input without the end of its line. Throws a `UsageError` where that is no password. */
export async function passwordFrom(input: Input): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    const part = Buffer.from(chunk);
    bytes += part.length;
    if (bytes > maxBytes) throw notOneLine();
    chunks.push(part);
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new UsageError('what came on standard input is not text', 'write the password as UTF-8');
  }
  const password = text.replace(/\r?\n$/, '');
  if (password === '') {
    throw new UsageError(
      'there is no password on standard input',
      'write it there: … --password-stdin < FILE',
    );
  }
  if (/[\r\n]/.test(password)) throw notOneLine();
  return password;
}

/** Asks twice on a terminal, without showing what is typed. Throws where it is not the same twice, or there is no terminal. */
export async function askNewPassword(input: Input, output: Output, name: string): Promise<string> {
  if (input.isTTY !== true) {
    throw new UsageError(
      'there is no terminal to ask for the password on',
      'give it on standard input with --password-stdin',
    );
  }
  const first = await ask(input, output, `Password for ${name}: `);
  const second = await ask(input, output, 'The same again: ');
  if (first === second) return first;
  throw new UsageError('the two passwords are not the same; nothing was changed', 'try again');
}

const interrupt = '\u0003';
const endOfInput = '\u0004';
const clearLine = '\u0015';
function ask(input: Input, output: Output, question: string): Promise<string> {
  // before anybody is asked: what is typed at once is not shown either
  input.setRawMode?.(true);
  output.write(question);
  input.setEncoding('utf8');
  let typed: string[] = [];
  return new Promise<string>((resolve, reject) => {
    const stop = (): void => {
      input.off('data', read);
      input.off('end', ended);
      input.pause();
      input.setRawMode?.(false);
      output.write('\n');
    };
    const ended = (): void => {
      stop();
      reject(
        new Failure('interrupted; nothing was changed', { code: 'interrupted', remedy: 'run it again' }),
      );
    };
    const read = (chunk: unknown): void => {
      // without what keys such as the arrows send
      const keys = Array.from(stripVTControlCharacters(String(chunk)));
      for (const [index, key] of keys.entries()) {
        if (key === '\r' || key === '\n') {
          stop();
          // what was pasted further is for whoever asks next
          const rest = keys.slice(index + 1).join('');
          if (rest !== '') input.unshift(rest);
          resolve(typed.join(''));
          return;
        }
        if (key === interrupt || (key === endOfInput && typed.length === 0)) {
          ended();
          return;
        }
        if (key === '\u007f' || key === '\b') typed.pop();
        else if (key === clearLine) typed = [];
        else if (!/\p{Cc}/u.test(key)) typed.push(key);
      }
    };
    input.on('data', read);
    input.on('end', ended);
    input.resume();
  });
}

function notOneLine(): UsageError {
  return new UsageError(
    'standard input holds more than one line',
    'write the password alone there, on one line',
  );
}
