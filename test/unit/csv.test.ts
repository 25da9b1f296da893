import { describe, expect, it } from 'vitest';
import { parseCsv } from '../../build/csv.ts';

describe('parseCsv', () => {
  it.each<[string, string, string[][]]>([
    [
      'fields and records',
      'a,b\nc,d\n',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      'a last line without its end',
      'a,b\nc,d',
      [
        ['a', 'b'],
        ['c', 'd'],
      ],
    ],
    [
      'lines that end in CR LF',
      'a,b\r\n"c",d\r\n"e","f"\r\n',
      [
        ['a', 'b'],
        ['c', 'd'],
        ['e', 'f'],
      ],
    ],
    ['commas in quotes', '1,"Cloudflare, Inc."\n', [['1', 'Cloudflare, Inc.']]],
    ['doubled quotes', '"JSC ""Kazakhtelecom""",2\n', [['JSC "Kazakhtelecom"', '2']]],
    ['a quoted field of quotes alone', '"""",x\n', [['"', 'x']]],
    ['line breaks in quotes', '"a\nb",c\n', [['a\nb', 'c']]],
    ['quotes inside a plain field', 'say "x",2\n', [['say "x"', '2']]],
    [
      'empty fields',
      ',,\n"",\n',
      [
        ['', '', ''],
        ['', ''],
      ],
    ],
    ['empty lines', '\na\n\r\n\nb\n', [['a'], ['b']]],
    ['nothing', '', []],
  ])('reads %s', (_, text, records) => {
    expect([...parseCsv(text)]).toEqual(records);
  });

  it('names the line where a quote is wrong', () => {
    expect(() => [...parseCsv('a,b\n"c,d\n')]).toThrow('CSV, line 2: a quote is not closed');
    expect(() => [...parseCsv('a\n"b\nc"\n"d"e,f\n')]).toThrow('CSV, line 4: text follows a closing quote');
  });
});
