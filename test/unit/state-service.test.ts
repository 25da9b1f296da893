import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { configOf, loadConfig } from '../../src/config/load.ts';
import { createStateService } from '../../src/wire/state-service.ts';
import { countedVisits } from '../support/counted-visits.ts';
import { logLines } from '../support/log-lines.ts';
import { openDatabase } from '../support/open-database.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'state-service-'))));
afterEach(() => rmSync(folder, { recursive: true }));

it('an end in the middle of a reload writes the visits that were counted until then', async () => {
  const flags = { 'secrets-dir': folder, 'data-dir': folder };
  const config = configOf(loadConfig({ flags, environment: {}, workingFolder: folder }));
  const log = logLines();
  const state = createStateService({
    log,
    editions: () => [],
    mayPrune: () => true,
    onDegraded() {},
    startWithinMs: 60_000,
    lastWriteWithinMs: 50_000,
  });
  const onNewer = ({ message }: Error) => expect.fail(message);
  await state.start(config, onNewer);
  const again = state.start(config, onNewer);
  state.addVisits({ atMs: Date.now(), visits: [['DE', 64_496, 'Example', 2, 3]], addresses: [] });
  await state.flush();
  expect(log.lines.filter((line) => line.includes('are lost'))).toEqual([]);
  await state.stop();
  await again;
  const database = openDatabase({ kind: 'sqlite', file: join(folder, 'state.sqlite') });
  expect((await countedVisits(database)).total).toBe(3);
  await database.close();
});
