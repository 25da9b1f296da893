import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { readAsset } from '../core/assets.ts';
import { createGeoipHistory } from '../history/geoip-editions.ts';
import type { Database } from '../ports/database.ts';
import type { EditionInUse } from '../supervisor/messages.ts';

/** Records the databases that the workers answer from, each once. Rejects as the database and the file system do. */
export async function recordEditions(database: Database, editions: readonly EditionInUse[]): Promise<void> {
  const history = createGeoipHistory(database);
  const known = new Set((await history.list()).map(({ edition, builtMs }) => `${edition} ${builtMs}`));
  for (const { type: edition, builtMs, source } of editions) {
    if (known.has(`${edition} ${builtMs}`)) continue;
    const bytes = source === 'embedded' ? builtIn(edition) : await readFile(source);
    const sha256 = createHash('sha256').update(bytes).digest();
    await history.record({
      edition,
      builtMs,
      fetchedMs: Date.now(),
      source,
      sizeBytes: bytes.length,
      sha256,
    });
  }
}

function builtIn(edition: string): Buffer {
  return readAsset(/asn/i.test(edition) ? 'geoip-asn.mmdb' : 'geoip-country.mmdb');
}
