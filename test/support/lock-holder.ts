import { DatabaseSync } from 'node:sqlite';

/** A program for tests: holds a SQLite file's write lock until it is ended, and says when it has it. */
const [file = ''] = process.argv.slice(2);
const database = new DatabaseSync(file, { timeout: 5_000 });
database.exec('begin exclusive');
process.stdout.write('held\n');
setInterval(() => undefined, 1_000);
