import { hash } from 'node:crypto';

/**
 * A checksum of the rows of a table in whatever order they come: the two kinds of databases do not sort addresses alike. It is the
 * sum of the SHA-256 of their lines, so no two rows make up for each other as they would with an exclusive or.
 */
export class RowsSum {
  rows = 0;
  /** The number in its 32-bit words, the lowest first; a sum of 2^20 of them is still exact. */
  readonly #words = new Float64Array(8);

  /** `line` without its end. */
  add(line: string): void {
    const digest = hash('sha256', line, 'buffer');
    for (let word = 0; word < 8; word++) this.#words[word]! += digest.readUInt32LE(4 * word);
    if (++this.rows % 0x10_0000 === 0) this.#carry();
  }

  /** In lower-case hexadecimal. */
  text(): string {
    this.#carry();
    const bytes = Buffer.alloc(32);
    for (let word = 0; word < 8; word++) bytes.writeUInt32LE(this.#words[word]!, 4 * word);
    return bytes.toString('hex');
  }

  #carry(): void {
    let carried = 0;
    for (let word = 0; word < 8; word++) {
      const sum = this.#words[word]! + carried;
      this.#words[word] = sum % 2 ** 32;
      carried = Math.floor(sum / 2 ** 32);
    }
  }
}
