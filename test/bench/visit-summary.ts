import { join } from 'node:path';
import type { Database } from '../../src/ports/database.ts';
import { summarizeVisits } from '../../src/visits/visit-summary.ts';
import { type DatabasePlace, openDatabase } from '../support/open-database.ts';
import { placeOf, startPostgres } from '../support/postgres.ts';
import { seedVisits } from '../support/seeded-visits.ts';
import { atMost, type Findings } from './figure.ts';
import { median } from './median.ts';
import { quiet } from './quiet.ts';
import { scratchFolder } from './scratch.ts';

const fromMs = Date.UTC(2026, 9, 1);
const toMs = Date.UTC(2026, 10, 1);
const rows = 1_000_000;
const runs = 9;
const allowedMs = 200;

/** How long the summary of a month takes that has a million rows of visits, on either database. */
export async function visitSummary(): Promise<Findings> {
  const server = await startPostgres('embedded');
  try {
    const places: readonly [string, DatabasePlace][] = [
      ['SQLite', { kind: 'sqlite', file: join(scratchFolder(), 'state.sqlite') }],
      ['PostgreSQL 18', placeOf(server)],
    ];
    const measured: { name: string; times: readonly number[] }[] = [];
    for (const [name, place] of places) measured.push({ name, times: await measure(place) });
    return {
      figures: measured.map(({ name, times }) =>
        atMost(`a month of ${rows} rows summed up, ${name}`, median(times), allowedMs, 'ms'),
      ),
      details: {
        columns: ['summary of a month', 'first ms', 'least ms', 'median ms', 'most ms', 'runs'],
        rows: measured.map(({ name, times }) => [
          name,
          ...[times[0]!, Math.min(...times), median(times), Math.max(...times)].map((ms) => ms.toFixed(0)),
          String(times.length),
        ]),
      },
    };
  } finally {
    await server.remove();
  }
}

async function measure(place: DatabasePlace): Promise<readonly number[]> {
  const database: Database = openDatabase(place);
  try {
    await database.migrate();
    await seedVisits(database, { count: rows, fromMs, toMs });
    await quiet();
    const times: number[] = [];
    for (let run = 0; run < runs; run++) {
      const since = performance.now();
      await summarizeVisits(database, fromMs, toMs);
      times.push(performance.now() - since);
    }
    return times;
  } finally {
    await database.close();
  }
}
