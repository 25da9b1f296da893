/** By their numbers; what follows a hyphen (`1.2.0-beta.1`) does not count, nor does anything that is no number. */
export function compareReleases(a: string, b: string): number {
  const [left, right] = [a, b].map((each) =>
    (each.split('-')[0] ?? '').split('.').map((part) => Number(part) || 0),
  );
  for (let index = 0; index < 3; index++) {
    const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
