import { countedVisits } from './counted-visits.ts';
import { openDatabase } from './open-database.ts';

/** A program for tests: prints what a SQLite file has of visits. For `nsenter`: SQLite follows no path through /proc/PID/root. */
const database = openDatabase({ kind: 'sqlite', file: process.argv[2]! });
process.stdout.write(JSON.stringify(await countedVisits(database)));
await database.close();
