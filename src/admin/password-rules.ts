import { exitCodes, Failure } from '../core/errors.ts';

/**
 * After NIST SP 800-63B: a length, no rules of composition, and none that everybody guesses first. It asks for 8 characters with a
 * second factor and 15 without; here the addresses that see the dashboard are limited, and the attempts.
 */
const minCharacters = 10;
const maxCharacters = 512;

/** Of the published lists of the commonest passwords, those that are long enough to pass. */
const commonest = new Set(
  `1234567890 12345678910 0123456789 9876543210 0987654321 1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx3edc 1qazxsw23edc
  qwertyuiop qwerty12345 qwerty123456 qwertyuiop123 qwertyuiop[] asdfghjkl; asdfghjkl1 zxcvbnm123 abcdefghij
  abcdefghijk abc1234567 abcd123456 password12 password123 password1234 password12345 password123! password!23
  passw0rd123 p@ssw0rd123 p@ssword123 mypassword changeme123 change-me-now letmein123 letmeinnow welcome123
  welcome1234 iloveyou12 iloveyou123 admin12345 admin123456 administrator administrator1 superman123 football123
  baseball123 basketball princess123 sunshine123 dragon12345 monkey12345 michael123 trustno1trustno1 test123456
  testtest123 secret12345 computer123 internet123 whatever123 starwars123 jordan12345 liverpool1 manchester
  manchester1 chocolate1 christmas1 elizabeth1 alexander1 butterfly1 strawberry playstation bismillah1 tinkerbell`.split(
    /\s+/,
  ),
);

/** Throws the Failure `password-weak` for what may not become the password of the user of that name. It never quotes it. */
export function checkNewPassword(password: string, name: string): void {
  const flaw = flawOf(password.normalize('NFKC'), name);
  if (flaw === undefined) return;
  throw new Failure(`this cannot be the password: ${flaw}`, {
    code: 'password-weak',
    exitCode: exitCodes.usage,
    remedy: `choose another of at least ${minCharacters} characters; a few words in a row are easy to keep in mind`,
  });
}

function flawOf(password: string, name: string): string | undefined {
  const { length } = Array.from(password);
  if (length < minCharacters) return `it has fewer than ${minCharacters} characters`;
  if (length > maxCharacters) return `it has more than ${maxCharacters} characters`;
  if (!password.isWellFormed() || /\p{Cc}/u.test(password)) return 'it holds characters that nobody can type';
  const folded = password.toLowerCase();
  if (commonest.has(folded)) return 'it is one of those that are guessed first';
  if (/^(.{1,5})\1+.{0,4}$/u.test(folded)) return 'it repeats itself';
  const own = [name, 'appliance', 'password'].find((word) => folded.replaceAll(word, '').length <= 3);
  return own === undefined ? undefined : `it is little more than "${own}"`;
}
