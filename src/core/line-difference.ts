/** Files that are compared this way have a few hundred lines. */
const mostCells = 4_000_000;
const context = 1;

/**
 * The lines that two texts differ in, as diff(1) writes them: `-` before what only the first has, `+` before what only the second has,
 * with a line of what both have around them, and `…` where lines are left out. Empty where they are the same.
 */
export function lineDifference(before: string, after: string): readonly string[] {
  if (before === after) return [];
  const [a, b] = [linesOf(before), linesOf(after)];
  if (a.length * b.length > mostCells)
    return [...a.map((line) => `- ${line}`), ...b.map((line) => `+ ${line}`)];
  const marked = walk(a, b);
  const near = (at: number) =>
    marked.slice(Math.max(0, at - context), at + context + 1).some(({ sign }) => sign !== ' ');
  const shown: string[] = [];
  for (const [at, { sign, line }] of marked.entries()) {
    if (near(at)) shown.push(`${sign} ${line}`.trimEnd());
    else if (shown.length > 0 && shown.at(-1) !== '…') shown.push('…');
  }
  if (shown.at(-1) === '…') shown.pop();
  return shown;
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

/** Along the longest common subsequence. */
function walk(a: readonly string[], b: readonly string[]): { sign: ' ' | '-' | '+'; line: string }[] {
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] =
        a[i] === b[j]
          ? common[(i + 1) * width + j + 1]! + 1
          : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
    }
  }
  const marked: { sign: ' ' | '-' | '+'; line: string }[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [one, two] = [a[i], b[j]];
    if (one !== undefined && one === two) {
      marked.push({ sign: ' ', line: one });
      i++;
      j++;
    } else if (
      two === undefined ||
      (one !== undefined && common[(i + 1) * width + j]! >= common[i * width + j + 1]!)
    ) {
      marked.push({ sign: '-', line: one ?? '' });
      i++;
    } else {
      marked.push({ sign: '+', line: two });
      j++;
    }
  }
  return marked;
}
