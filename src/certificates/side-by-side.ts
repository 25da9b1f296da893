/** Requests that are under way at the same time. */
const atOnce = 8;

/** Runs all, eight at a time; what fails keeps no other from its turn. In the order of the items. */
export async function sideBySideSettled<Item, Result>(
  items: readonly Item[],
  action: (item: Item) => Promise<Result>,
): Promise<PromiseSettledResult<Result>[]> {
  const results: PromiseSettledResult<Result>[] = [];
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < items.length; at = next++) {
      [results[at]] = (await Promise.allSettled([action(items[at]!)])) as [PromiseSettledResult<Result>];
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return results;
}

/** The same; rejects with the first failure once all have ended. */
export async function sideBySide<Item, Result>(
  items: readonly Item[],
  action: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  return (await sideBySideSettled(items, action)).map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
