/** Controls, and what turns the direction of writing, by which a line reads as something else than it is. */
const acting = /[\p{Cc}\p{Bidi_Control}]+/gu;

/** Text from elsewhere on one line, without what a terminal would act upon. */
export function printable(text: string): string {
  return text.replaceAll(acting, ' ');
}
