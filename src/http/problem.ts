import { STATUS_CODES } from 'node:http';
import { printable } from '../core/printable.ts';
import { always, headerBlock, problemType, textType, type Answer, type HeaderBlock } from './answer.ts';
import type { Representation } from './negotiate.ts';
import type { ProblemCode } from './problem-codes.ts';

/** An answer that says what the caller did wrong, or what we cannot do: RFC 9457 with a stable `code`. */
export class Problem extends Error {
  readonly status: number;
  readonly code: ProblemCode;
  readonly headers: { readonly [name: string]: string };

  constructor(
    status: number,
    code: ProblemCode,
    detail: string,
    headers: { readonly [name: string]: string } = {},
  ) {
    super(detail);
    this.name = 'Problem';
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** One line for text clients, `application/problem+json` for everybody else. */
export function problemAnswer(problem: Problem, wanted: Representation | undefined): Answer {
  const { status, code, message } = problem;
  if (wanted === 'text') {
    // A caller's own text may stand in the message: one line stays one line.
    return { status, head: head(textType, problem), body: `${printable(message)}\n` };
  }
  const body = JSON.stringify({
    type: 'about:blank',
    title: STATUS_CODES[status],
    status,
    detail: message,
    code,
  });
  return { status, head: head(problemType, problem), body: `${body}\n` };
}

function head(contentType: string, problem: Problem): HeaderBlock {
  return headerBlock(contentType, {
    ...always,
    'Cache-Control': 'no-store',
    Vary: 'Accept, User-Agent',
    ...problem.headers,
  });
}
