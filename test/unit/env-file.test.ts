import { describe, expect, it } from 'vitest';

import { parseEnvFile } from '../../src/config/env-file.ts';
import { parseGeoipKeyFile, parseRedisPasswordFile } from '../../src/config/special-files.ts';

describe('a KEY=value file', () => {
  it.each([
    ['KEY=value', 'value'],
    ['  KEY = value  ', 'value'],
    ['export KEY=value', 'value'],
    ['KEY=', ''],
    ['KEY=""', ''],
    ['KEY=a=b=c', 'a=b=c'],
    ['KEY=a#b', 'a#b'],
    ['KEY=#b', '#b'],
    ['KEY=a b', 'a b'],
    ['KEY=$HOME `id` \\n', '$HOME `id` \\n'],
    ["KEY='a # b'", 'a # b'],
    ['KEY=\'a "b" \\n $c\' # why', 'a "b" \\n $c'],
    ['KEY="a # b"', 'a # b'],
    ['KEY="a \\"b\\" \\\\ \\$c \\n"', 'a "b" \\ $c \\n'],
    ['KEY="\'"', "'"],
    ["KEY=it's", "it's"],
    ['KEY=pässwörd', 'pässwörd'],
  ])('reads %j as %j', (text, value) => {
    expect(parseEnvFile(text)).toEqual({ assignments: [{ key: 'KEY', value, line: 1 }], problems: [] });
  });

  it('counts lines whatever ends them, and skips a byte order mark, blank lines and comments', () => {
    const { assignments, problems } = parseEnvFile('\uFEFF# first\r\n\r\nA=1\r\n  # third\nB=2\n');
    expect(problems).toEqual([]);
    expect(assignments).toEqual([
      { key: 'A', value: '1', line: 3 },
      { key: 'B', value: '2', line: 5 },
    ]);
  });

  it.each([
    ['KEY', undefined, 'neither KEY=value'],
    ['=value', undefined, 'neither KEY=value'],
    ['1KEY=value', undefined, 'neither KEY=value'],
    ['KEY: value', undefined, 'neither KEY=value'],
    ['KEY="value', 'KEY', 'never closed'],
    ["KEY='value", 'KEY', 'never closed'],
    ['KEY="value\\"', 'KEY', 'never closed'],
    ['KEY="a"b', 'KEY', 'more behind'],
    ['KEY="a"#b', 'KEY', 'more behind'],
    ['KEY=a #b', 'KEY', 'put the value in quotes'],
    ['KEY=a\u0000b', 'KEY', 'control character'],
  ])('refuses %j', (text, key, message) => {
    const { assignments, problems } = parseEnvFile(text);
    expect(assignments).toEqual([]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({ line: 1, ...(key ? { key } : {}) });
    expect(problems[0]?.message).toContain(message);
  });

  it('names the first line of a key beside each line that sets it again', () => {
    const { assignments, problems } = parseEnvFile('A=1\nB=2\n\nA=1\nA="3');
    expect(assignments.map(({ key }) => key)).toEqual(['A', 'B']);
    expect(problems).toEqual([
      { line: 4, key: 'A', message: 'is set on line 1 already' },
      { line: 5, key: 'A', message: 'is set on line 1 already' },
    ]);
  });

  it('never repeats a line that it cannot read', () => {
    const { problems } = parseEnvFile(
      'REDIS_PASS: hunter2\nREDIS_PASS="hunter2\nhunter2\nREDIS_PASS=hunter2 #x',
    );
    expect(problems).toHaveLength(4);
    expect(JSON.stringify(problems)).not.toContain('hunter2');
  });
});

describe('redis.password.conf', () => {
  it.each([
    ['requirepass plain#word', 'plain#word'],
    ['# ours\n\nREQUIREPASS "two words"', 'two words'],
    ['requirepass "a\\"b\\\\c\\x41\\n"', 'a"b\\cA\n'],
    ["requirepass 'it\\'s'", "it's"],
    ['requirepass ""', ''],
  ])('reads %j as %j', (text, value) => {
    const { assignments, problems } = parseRedisPasswordFile(text);
    expect(problems).toEqual([]);
    expect(assignments).toMatchObject([{ key: 'requirepass', value }]);
  });

  it.each(['hunter2', 'requirepass', 'requirepass hunter2 hunter2', 'requirepass "hunter2', 'save hunter2'])(
    'refuses %j without repeating it',
    (text) => {
      const { assignments, problems } = parseRedisPasswordFile(text);
      expect(assignments).toEqual([]);
      expect(problems).toMatchObject([{ line: 1 }]);
      expect(JSON.stringify(problems)).not.toContain('hunter2');
    },
  );

  it('takes one line only, and none at all', () => {
    expect(parseRedisPasswordFile('requirepass a\nrequirepass b').problems).toMatchObject([{ line: 2 }]);
    expect(parseRedisPasswordFile('# nothing yet\n')).toEqual({ assignments: [], problems: [] });
  });
});

describe('geoip.key', () => {
  it('reads its one line', () => {
    const { assignments } = parseGeoipKeyFile('# MaxMind\n123:abcdefgh\n');
    expect(assignments).toEqual([{ key: 'geoip.key', value: '123:abcdefgh', line: 2 }]);
  });
  it('takes one line only', () => {
    expect(parseGeoipKeyFile('1:abcdefgh\n2:abcdefgh').problems).toMatchObject([{ line: 2 }]);
  });
});
