import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { shellWord } from '../../src/core/shell-word.ts';
import { readFailure, writeFailure } from '../../src/core/storage-failure.ts';

const failed = Object.assign(new Error('EACCES: permission denied, open'), { code: 'EACCES', errno: -13 });

describe('a path in a command to type', () => {
  it('stays as it is where a shell takes it for one word', () => {
    expect(shellWord('/var/lib/appliance/a-b_c.d@e:f,g=h+i%')).toBe('/var/lib/appliance/a-b_c.d@e:f,g=h+i%');
  });

  it.each(['/my backups/one', "it's", '$HOME', '`id`', '', 'a\nb', '~/x', '"', '\\', 'é', '*'])(
    'comes out of the shell as it went in: %j',
    (text) => {
      const said = execFileSync('sh', ['-c', `printf %s ${shellWord(text)}`], { encoding: 'utf8' });
      expect(said).toBe(text);
    },
  );

  it('is quoted in what a failure advises', () => {
    for (const failure of [readFailure('/my data/x', failed), writeFailure('/my data/x', failed)])
      expect((failure as { remedy: string }).remedy).toMatch(/ls -ld '\/my data(\/x)?'$/);
  });
});
