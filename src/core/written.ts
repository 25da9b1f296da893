/**
 * Resolves when all that was written to a stream before has gone, or is lost because nobody reads it or there is no room; its
 * `error` listeners have been called by then. Never rejects.
 */
export function written(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => {
    // an error of a write before is told in a turn of its own
    stream.write('', () => setImmediate(resolve));
  });
}
