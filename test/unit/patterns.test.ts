import { describe, expect, it } from 'vitest';

describe('a pattern in what is expected', () => {
  it('matches a text, and nothing else', () => {
    expect({ deep: [{ reason: 'it went back' }] }).toMatchObject({ deep: [{ reason: /went back/ }] });
    for (const reason of ['it went on', undefined, 7, {}])
      expect({ reason }).not.toMatchObject({ reason: /went back/ });
    expect({}).not.toMatchObject({ reason: /went back/ });
  });
});
