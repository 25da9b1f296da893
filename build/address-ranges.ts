/**
 * Addresses from `start` to `end`, both included, in the one space of 2^128 in which an IPv4 address is the number
 * that it is (`::/96`), as the MaxMind DB format has it.
 */
export interface AddressRange<Value> {
  readonly start: bigint;
  readonly end: bigint;
  readonly value: Value;
}

/**
 * Ranges in any order, overlapping or not, to ranges in ascending order without overlap, neighbours of one value
 * (compared with ===) joined. Where ranges overlap the one with fewer addresses wins, as a longer prefix does
 * in routing; of equally large ones the one that begins later, and of the same range said twice the later said.
 */
export function* flatten<Value>(ranges: Iterable<AddressRange<Value>>): Generator<AddressRange<Value>> {
  let last: { start: bigint; end: bigint; value: Value } | undefined;
  for (const range of disjoint(ascending(ranges))) {
    if (last !== undefined && last.value === range.value && last.end + 1n === range.start)
      last.end = range.end;
    else {
      if (last !== undefined) yield last;
      last = { ...range };
    }
  }
  if (last !== undefined) yield last;
}

function ascending<Value>(ranges: Iterable<AddressRange<Value>>): AddressRange<Value>[] {
  const all = [...ranges];
  const sorted = all.every((range, index) => index === 0 || (all[index - 1]?.start ?? 0n) <= range.start);
  return sorted ? all : all.sort((a, b) => (a.start < b.start ? -1 : a.start > b.start ? 1 : 0));
}

function* disjoint<Value>(sorted: AddressRange<Value>[]): Generator<AddressRange<Value>> {
  let open: AddressRange<Value>[] = [];
  let cursor = 0n;

  function* until(limit: bigint): Generator<AddressRange<Value>> {
    while (open.length > 0 && cursor < limit) {
      let winner = open[0] as AddressRange<Value>;
      let firstEnd = winner.end;
      for (const range of open) {
        if (range.end - range.start <= winner.end - winner.start) winner = range;
        if (range.end < firstEnd) firstEnd = range.end;
      }
      const end = firstEnd < limit ? firstEnd : limit - 1n;
      yield { start: cursor, end, value: winner.value };
      cursor = end + 1n;
      open = open.filter((range) => range.end >= cursor);
    }
    cursor = limit;
  }

  for (const range of sorted) {
    yield* until(range.start);
    open.push(range);
  }
  yield* until(1n << 128n);
}
