import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findDocker } from '../../src/host/stack/docker.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'docker-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('a Docker whose Compose has not answered in time is one that does not answer, and lacks nothing', async () => {
  writeFileSync(join(folder, 'docker'), '#!/bin/sh\nexec sleep 600\n', { mode: 0o755 });
  const environment = { PATH: `${folder}:${process.env['PATH']}` };
  await expect(findDocker(environment, 200)).rejects.toMatchObject({
    code: 'docker-not-running',
    cause: { message: 'no answer within 0.2 s' },
  });
});
