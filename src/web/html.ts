/** The characters that could end a text or a quoted attribute and begin something else (HTML Living Standard §13.3). */
const special: { readonly [character: string]: string } = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as it may stand in an element or in a quoted attribute. */
export function escapeHtml(text: string): string {
  return /[&<>"']/.test(text) ? text.replaceAll(/[&<>"']/g, (character) => special[character]!) : text;
}

/**
 * Non-ASCII characters as references. Text without them takes one byte a character in memory and on the way
 * out, which makes a page several times cheaper to send.
 */
export function asciiHtml(html: string): string {
  return html.replaceAll(/[^\0-\x7f]/gu, (character) => `&#${character.codePointAt(0)!};`);
}
