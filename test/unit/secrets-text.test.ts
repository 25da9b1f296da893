import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseEnvFile } from '../../src/config/env-file.ts';
import { parseRedisPasswordFile } from '../../src/config/special-files.ts';
import {
  requirepassLine,
  withAssignment,
  withoutAssignment,
  withRequirepass,
} from '../../src/host/stack/secrets-text.ts';

/** What a password may be: printable text. */
const password = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
  .filter((text) => !/\p{Cc}/u.test(text));

describe('a secret that is written', () => {
  it('is read again as it was, from an environment file and from the file that Redis includes', () => {
    fc.assert(
      fc.property(password, (value) => {
        const text = withAssignment('# before\n', 'POSTGRES_PASSWORD', value);
        expect(parseEnvFile(text)).toEqual({
          assignments: [{ key: 'POSTGRES_PASSWORD', value, line: 2 }],
          problems: [],
        });
        const { assignments } = parseRedisPasswordFile(`${requirepassLine(value)}\n`);
        expect(assignments.map((each) => each.value)).toEqual([value]);
      }),
    );
  });

  it('can be taken out again, with nothing else', () => {
    const text = 'A_KEY=1\n  export KEY = "old" \n# KEY=2\nKEY_TWO=2';
    expect(withoutAssignment(text, 'KEY')).toBe('A_KEY=1\n# KEY=2\nKEY_TWO=2');
    expect(withoutAssignment(text, 'KEY_TWO')).toBe('A_KEY=1\n  export KEY = "old" \n# KEY=2\n');
  });

  it('takes the line that the key had, whatever else there is', () => {
    const text = 'A_KEY=1\n  export KEY = "old" \nKEY_TWO=2';
    expect(withAssignment(text, 'KEY', '$& new')).toBe("A_KEY=1\nKEY='$& new'\nKEY_TWO=2");
    expect(withAssignment('A=1', 'KEY', 'x')).toBe('A=1\nKEY=x\n');
    expect(withRequirepass('# pass\nrequirepass\n', 'x')).toBe('# pass\nrequirepass "x"\n');
  });
});
