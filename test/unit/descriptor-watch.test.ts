import { describe, expect, it } from 'vitest';
import { createDescriptorWatch } from '../../src/supervisor/descriptor-watch.ts';

function scene() {
  const lines: [level: string, fields: object, message: string][] = [];
  const state: { fails: string | undefined } = { fails: undefined };
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push([level, fields, message]);
  const log = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    debugging: false,
  };
  const look = createDescriptorWatch(log, () => {
    if (state.fails !== undefined) throw Object.assign(new Error(state.fails), { code: state.fails });
  });
  return { look, lines, state };
}

describe('a worker without file descriptors', () => {
  it('tells it once with the limit and what to do, and tells when it is over', () => {
    const { look, lines, state } = scene();
    expect([look(), lines]).toEqual([false, []]);
    state.fails = 'EMFILE';
    for (let count = 0; count < 5; count++) expect(look()).toBe(true);
    expect(lines).toEqual([
      [
        'error',
        { remedy: 'raise LimitNOFILE= of the unit, or "ulimit -n"' },
        expect.stringMatching(
          /^out of file descriptors: all \d+ that this process may have are open; new connections wait$/,
        ),
      ],
    ]);
    state.fails = undefined;
    for (let count = 0; count < 20; count++) look();
    expect([look(), lines.length, lines[1]?.[2]]).toEqual([false, 2, 'there are file descriptors again']);
  });

  it('does not tell it anew because one was free for a moment', () => {
    const { look, lines, state } = scene();
    for (let count = 0; count < 50; count++) {
      state.fails = count % 5 === 0 ? 'EMFILE' : undefined;
      expect(look()).toBe(true);
    }
    expect(lines.length).toBe(1);
  });

  it('tells a shortage of the whole host from its own, and any other failure not at all', () => {
    const { look, lines, state } = scene();
    state.fails = 'EACCES';
    expect([look(), lines]).toEqual([false, []]);
    state.fails = 'ENFILE';
    expect(look()).toBe(true);
    expect(lines[0]?.[2]).toBe('the host is out of file descriptors: new connections wait');
  });
});
