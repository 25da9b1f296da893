/** Puts `becomes` where `was` stands. Throws unless `was` is there exactly once and both have one length. */
export function replaceOnce(file: Buffer, was: Buffer, becomes: Buffer, what: string): void {
  if (was.length !== becomes.length) throw new Error(`${what}: what takes its place has another length`);
  const at = file.indexOf(was);
  if (at < 0 || file.includes(was, at + 1)) throw new Error(`${what}: it is not there exactly once`);
  becomes.copy(file, at);
}
