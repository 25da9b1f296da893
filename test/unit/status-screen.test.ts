import { describe, expect, it } from 'vitest';
import { statusScreen, type Status } from '../../src/cli/status-screen.ts';

const status = (database: object): Status => ({
  version: '1.0.0',
  pid: 1,
  startedAt: 0,
  listenHost: '::',
  httpPort: 80,
  workers: [{ pid: 2, startedAt: 0, restarts: 0 }],
  certificates: [],
  state: {
    database: { kind: 'sqlite', ok: false, words: 'SQLite: opening', since: 0, ...database },
    cache: { kind: 'embedded', ok: true, words: 'SQLite: works', failures: 0 },
    visits: { waiting: 0, written: 0, blurred: 0 },
  },
});
const needs = (database: object) =>
  statusScreen(status(database), 0, { write: () => {} }).find((line) => line.includes('needs you'));

describe('the screen of "status"', () => {
  it('says that a database needs somebody when it has trouble, and not while it is being opened', () => {
    expect(needs({ opening: true })).toBe('  needs you    no');
    expect(needs({ words: 'SQLite: down' })).toBe('  needs you    yes: the database');
  });
});
