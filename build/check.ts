// `npm run check`: everything that reads the sources without running them.
import { runChecks } from './checks.ts';

const results = await runChecks((line) => console.log(line));
process.exitCode = results.every((result) => result.ok) ? 0 : 1;
