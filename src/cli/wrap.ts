import { printable } from '../core/printable.ts';
import type { Output } from './command.ts';

/** Where there is no terminal; and terminals that do not say so are at least this wide. */
const usual = 80;
const narrowest = 40;

/** How many columns a line of text for people may take. */
export function widthOf(output: Output): number {
  return output.isTTY === true && output.columns ? Math.max(narrowest, output.columns) : usual;
}

/**
 * `label` in a column of its own and `text` beside it, broken between words to fit `width` columns. A word that is too
 * long for a line, such as an address, stays whole.
 */
export function labelled(label: string, text: string, indent: number, width = usual): string[] {
  const lines: string[] = [];
  let line = label.padEnd(indent);
  let empty = true;
  for (const word of printable(text).split(/\s+/)) {
    if (!empty && line.length + 1 + word.length > width) {
      lines.push(line.trimEnd());
      line = ' '.repeat(indent);
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  return [...lines, line.trimEnd()];
}

/** Rows of two columns; where a first entry is too long for half of `width`, the second begins on the next line. */
export function inColumns(rows: readonly (readonly [string, string])[], width: number): string[] {
  const lengths = rows.map(([first]) => first.length).filter((length) => length <= width / 2);
  const indent = 2 + Math.max(...lengths, 0) + 2;
  return rows.flatMap(([first, second]) => {
    const label = `  ${first}`;
    return label.length + 2 > indent
      ? [label, ...labelled('', second, indent, width)]
      : labelled(label, second, indent, width);
  });
}
