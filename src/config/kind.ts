/**
 * A kind of value: how its text is read and what may be written. `parse` gives the value or a `Refusal`,
 * never a default in place of a wrong text, and never throws.
 */
export interface Kind<T> {
  /** What may be written, as the end of the sentence "allowed: …". */
  readonly allowed: string;
  /** `baseFolder` is what a relative path starts from; where there is none, only absolute paths are taken. */
  parse(text: string, baseFolder?: string): T | Refusal;
  /** The value as a person would write it. */
  format(value: T): string;
}

/** Why a text was refused. `why` never repeats the text: for a secret only `why` is shown. */
export class Refusal {
  readonly found: string;
  readonly why: string | undefined;

  constructor(found: string, why?: string) {
    this.found = found;
    this.why = why;
  }
}
