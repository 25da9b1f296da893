import { exitCodes, Failure } from '../core/errors.ts';

const maxCharacters = 64;
/** Letters and digits of any script; nothing that is not seen, nothing that a terminal or a page would act upon. */
const allowed = /^(?!.*\p{Default_Ignorable_Code_Point})[\p{L}\p{N}][\p{L}\p{M}\p{N}._@+-]*$/u;

/**
 * A name as it is kept: in NFC and lower case, as RFC 8265's UsernameCaseMapped has it, so that `Anna` and `anna` are one in the database too.
 * Throws the Failure `user-name` for what is no name. Characters that only look different (ﬁ, Ａ) are refused.
 */
export function userName(text: string): string {
  const name = text.normalize('NFC').toLowerCase().normalize('NFC');
  // a text without end need not be looked at
  if (text.length <= 4 * maxCharacters && Array.from(name).length <= maxCharacters && allowed.test(name)) {
    if (name.normalize('NFKC') === name) return name;
  }
  throw new Failure('this cannot be the name of a user', {
    code: 'user-name',
    exitCode: exitCodes.usage,
    remedy: `use 1 to ${maxCharacters} letters, digits, and . _ @ + - after the first, such as anna or anna@example.com`,
  });
}
