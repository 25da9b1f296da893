import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { createCertificateStore } from '../../src/adapters/certificate-store-files.ts';
import { logLines } from '../support/log-lines.ts';
import { certificateStoreContract } from './certificate-store.ts';

const base = mkdtempSync(join(tmpdir(), 'certificate-store-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

certificateStoreContract('a folder of files', () => {
  const folder = join(mkdtempSync(join(base, 'x')), 'data', 'certificates');
  const open = () => createCertificateStore({ folder, log: logLines() });
  return Promise.resolve({ store: open(), reopen: open });
});
