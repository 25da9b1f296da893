import { describe, expect, it } from 'vitest';
import { labelled } from '../../src/cli/wrap.ts';
import { printable } from '../../src/core/printable.ts';

describe('text from elsewhere', () => {
  it.each([
    ['controls', '\u001B[2J\r\n', '[2J '],
    ['overrides and embeddings of direction', '\u202A\u202B\u202C\u202D\u202E', ''],
    ['isolates', '\u2066\u2067\u2068\u2069', ''],
    ['marks of direction', '\u200E\u200F\u061C', ''],
  ])('is shown without %s', (_, text, left) => {
    expect(printable(`a${text}b`)).toBe(`a ${left}b`);
    expect(labelled('error', `a${text}b`, 6)).toEqual([`error a ${left}b`]);
  });

  it('keeps the letters of every script', () => {
    expect(printable('مرحبا שלום čau 你好')).toBe('مرحبا שלום čau 你好');
  });
});
