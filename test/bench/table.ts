import type { Figure, Table } from './figure.ts';

/** A table in Markdown, its columns aligned so that it also reads well as it is. */
export function tableText({ columns, rows }: Table): string {
  const lines = [columns, ...rows];
  const widths = columns.map((_, at) => Math.max(3, ...lines.map((line) => line[at]?.length ?? 0)));
  const line = (cells: readonly string[], fill = ' '): string =>
    `| ${widths.map((width, at) => (cells[at] ?? '').padEnd(width, fill)).join(' | ')} |`;
  const [head, ...body] = lines.map((cells) => line(cells));
  const rule = line(widths.map((width) => '-'.repeat(width)));
  return [head, rule, ...body].join('\n');
}

export function figuresTable(figures: readonly Figure[]): Table {
  return {
    columns: ['figure', 'measured', 'target', 'verdict'],
    rows: figures.map(({ what, measured, target, verdict }) => [what, measured, target, verdict]),
  };
}
