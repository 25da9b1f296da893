/**
 * Suites that measure nothing and do not mind a delay: they run beside the others. Their own order is this one, so that what
 * mostly waits is left when the others come to a fresh root, which runs all that there is.
 */
const beside: readonly string[] = [
  'test/integration/certificate-swap.test.ts',
  'test/integration/certificates-renewal.test.ts',
  'test/integration/kills.test.ts',
  'test/integration/certificate-kill.test.ts',
  'test/integration/certificate-host-faults.test.ts',
  'test/integration/certificate-faults.test.ts',
  'test/integration/acme-resume.test.ts',
  'test/integration/certificates-by-hand.test.ts',
  'test/integration/backup-restore.test.ts',
  'test/integration/geoip-data.test.ts',
  'test/integration/secrets-rotate.test.ts',
  'test/integration/admin-user.test.ts',
  'test/integration/people.test.ts',
  'test/host/kills.test.ts',
  'test/host/certificate-kill.test.ts',
  'test/host/uninstall.test.ts',
  'test/host/install-faults.test.ts',
  'test/host/install-interrupted.test.ts',
  'test/host/renewal-under-load.test.ts',
];

/** Those of the others that do not mind what is beside them; what is in neither list comes last, when nothing is any more. */
const first: readonly string[] = [
  'test/host/stack.test.ts',
  'test/host/restore.test.ts',
  'test/host/install-elsewhere.test.ts',
  'test/host/doctor.test.ts',
  'test/host/fresh-root.test.ts',
];

/** Suites that have a turn, in its order. */
export const turns: readonly string[] = [...beside, ...first];

/** Where a suite, by its path from the root, comes among the others of its lane: in ascending order. */
export function turnOf(suite: string): number {
  const turn = turns.indexOf(suite);
  return turn === -1 ? Number.POSITIVE_INFINITY : turn;
}

/** Which suites run in a row, and which in another row at the same time; there is no second row without a first. */
export function lanesOf(suites: readonly string[]): {
  readonly main: readonly string[];
  readonly beside: readonly string[];
} {
  const second = suites.filter((suite) => beside.includes(suite));
  const main = suites.filter((suite) => !beside.includes(suite));
  return main.length === 0 ? { main: second, beside: main } : { main, beside: second };
}
