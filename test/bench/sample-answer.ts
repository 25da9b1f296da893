/** An answer of the product, for a peer to give as well. */
export interface SampleAnswer {
  readonly body: string;
  /** In the order they came. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** What every server writes by itself and in its own words. */
const serversOwn = new Set(['date', 'content-length', 'connection', 'keep-alive', 'server', 'uwebsockets']);

/** Asks once, as one of `callers` where there are any: the answer whose body is of middling length. */
export async function sampleAnswer(url: string, callers: readonly string[] = []): Promise<SampleAnswer> {
  const asked: SampleAnswer[] = [];
  for (const caller of callers.length === 0 ? [undefined] : callers) {
    const response = await fetch(url, caller === undefined ? {} : { headers: { 'X-Forwarded-For': caller } });
    if (response.status !== 200) throw new Error(`${url} answered ${response.status}`);
    const headers = [...response.headers].filter(([name]) => !serversOwn.has(name));
    asked.push({ body: await response.text(), headers });
  }
  const byLength = asked.toSorted((a, b) => a.body.length - b.body.length);
  return byLength[byLength.length >>> 1]!;
}

/** Throws where a peer's answer is not the same: the comparison would not be fair. */
export async function expectSameAnswer(url: string, expected: SampleAnswer): Promise<void> {
  const found = await sampleAnswer(url);
  const text = ({ body, headers }: SampleAnswer): string =>
    JSON.stringify([body, headers.toSorted(([a], [b]) => (a < b ? -1 : 1))]);
  if (text(found) !== text(expected)) {
    throw new Error(`${url} answers\n${text(found)}\ninstead of\n${text(expected)}`);
  }
}
