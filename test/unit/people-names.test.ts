import { describe, expect, it } from 'vitest';
import { checkNewPassword } from '../../src/admin/password-rules.ts';
import { userName } from '../../src/admin/user-name.ts';

describe('the name of a user', () => {
  it.each([
    ['anna', 'anna'],
    ['Anna.B-C_d+e@Example.COM', 'anna.b-c_d+e@example.com'],
    ['7', '7'],
    ['Zoe\u0301', 'zoé'],
    ['ΣΊΣΥΦΟΣ', 'σίσυφος'],
    ['王小明', '王小明'],
    ['นก', 'นก'],
    ['x'.repeat(64), 'x'.repeat(64)],
    ['𠮷'.repeat(64), '𠮷'.repeat(64)],
  ])('%j is kept as %j', (given, kept) => {
    expect(userName(given)).toBe(kept);
    expect(userName(kept)).toBe(kept);
  });

  it.each([
    '',
    ' ',
    'a b',
    ' anna',
    'anna\n',
    'anna\nroot',
    'an\0na',
    '\u001b[2J',
    '-anna',
    '.',
    '../etc',
    '--role',
    'a"b',
    "a'b",
    'a;b',
    'a/b',
    'a\\b',
    '<b>',
    '$(id)',
    'ann\u200ba',
    'ann\u202ea',
    'ann\u00ada',
    'a\u3164',
    'ﬁn',
    'Ａnna',
    'x\ud800',
    '😀',
    'x'.repeat(65),
    'e\u0301'.repeat(1e6),
  ])('is not %j', (given) => {
    expect(() => userName(given)).toThrow(expect.objectContaining({ code: 'user-name', exitCode: 2 }));
  });
});

describe('a new password', () => {
  it.each([
    'correct horse battery',
    'k7#fQ2!mZp',
    'nur kleine buchstaben',
    '密码密碼很長很長很長呢',
    'ünï¢ödé-wörds',
    '  spaces count  ',
    '😀😁😂😃😄😅😆😇😈😉',
    'x1'.repeat(2) + 'abcdefgh',
    'the password is long',
  ])('may be %j', (password) => {
    expect(() => checkNewPassword(password, 'anna')).not.toThrow();
  });

  it.each([
    ['', 'fewer than 10'],
    ['ninechars', 'fewer than 10'],
    ['😀😁😂😃😄😅😆😇😈', 'fewer than 10'],
    ['x'.repeat(400) + 'y'.repeat(200), 'more than 512'],
    ['tab\tbetween words', 'nobody can type'],
    ['half a pair \ud800', 'nobody can type'],
    ['Password123', 'guessed first'],
    ['1234567890', 'guessed first'],
    ['QwErTyUiOp', 'guessed first'],
    ['aaaaaaaaaaaa', 'repeats itself'],
    ['abcabcabcabc', 'repeats itself'],
    ['xyzzyxyzzyxyz', 'repeats itself'],
    ['annabella-01', '"annabella"'],
    ['ANNABELLAannabella', '"annabella"'],
    ['Appliance1!', '"appliance"'],
  ])('may not be %j', (password, why) => {
    const thrown = expect.objectContaining({
      code: 'password-weak',
      exitCode: 2,
      message: expect.stringContaining(why) as string,
    });
    expect(() => checkNewPassword(password, 'annabella')).toThrow(thrown);
  });
});
