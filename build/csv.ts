import { Failure } from '../src/core/errors.ts';

/**
 * The records of a CSV text (RFC 4180: quoted fields may hold commas, line breaks and doubled quotes), one array of
 * fields each. Lines may end in LF; empty lines are left out. Throws a Failure that names the line of a quote
 * that is not closed or stands in the wrong place.
 */
export function* parseCsv(text: string): Generator<string[]> {
  let at = 0;
  let line = 1;
  while (at < text.length) {
    const fields: string[] = [];
    for (let more = true; more;) {
      let field: string;
      if (text[at] === '"') {
        const started = line;
        let end = at;
        do {
          end = text.indexOf('"', end + 1);
          if (end === -1) throw bad(started, 'a quote is not closed');
          if (text[end + 1] !== '"') break;
          end++;
        } while (end < text.length);
        field = text.slice(at + 1, end).replaceAll('""', '"');
        line += field.split('\n').length - 1;
        at = end + 1;
      } else {
        const comma = text.indexOf(',', at);
        let end = text.indexOf('\n', at);
        if (end === -1) end = text.length;
        if (comma !== -1 && comma < end) end = comma;
        else if (text[end - 1] === '\r' && end > at) end--;
        field = text.slice(at, end);
        at = end;
      }
      fields.push(field);
      more = text[at] === ',';
      if (more) at++;
    }
    if (text[at] === '\r') at++;
    if (at < text.length && text[at] !== '\n') throw bad(line, 'text follows a closing quote');
    at++;
    line++;
    if (fields.length > 1 || fields[0] !== '') yield fields;
  }
}

function bad(line: number, why: string): Failure {
  return new Failure(`CSV, line ${line}: ${why}.`, { code: 'csv' });
}
