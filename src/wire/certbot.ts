import { readLineage } from '../certificates/certbot-lineage.ts';

/** The certificate of a folder as certbot leaves it, PEM, and what its owner should know. */
export async function readCertbotLineage(
  folder: string,
): Promise<{ readonly chain: string; readonly key: string; readonly warnings: readonly string[] }> {
  const { pair, warnings } = await readLineage(folder, Date.now());
  return { ...pair, warnings };
}
