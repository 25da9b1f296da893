import { readFileSync, writeSync } from 'node:fs';
import { createCertificateStore } from '../../src/adapters/certificate-store-files.ts';
import type { CertificatePair } from '../../src/ports/certificate-store.ts';
import { logLines } from './log-lines.ts';

/**
 * A program for tests to kill: saves the pairs of a JSON file in turn for ever, telling each before and after, and then how
 * many milliseconds it took.
 */
const [folder = '', file = '', authority = '', name = ''] = process.argv.slice(2);
const pairs = JSON.parse(readFileSync(file, 'utf8')) as CertificatePair[];
const store = createCertificateStore({ folder, log: logLines() });
const id = { authority, name };

for (let index = 0; ; index = (index + 1) % pairs.length) {
  await store.withLock(async () => {
    const startedAt = performance.now();
    writeSync(1, `saving ${index}\n`);
    await store.save(id, pairs[index]!);
    await store.saveState(id, { index, filler: 'x'.repeat(20_000) });
    writeSync(1, `saved ${index} ${performance.now() - startedAt}\n`);
  });
}
