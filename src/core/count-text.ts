/** A number of things in words: `1 row`, `2 rows`. `thing` is one of them, of those whose plural ends with s. */
export function countText(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}
