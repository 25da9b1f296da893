/** A key with its value as a file writes it. */
export interface Assignment {
  readonly key: string;
  readonly value: string;
  /** Counted from 1. */
  readonly line: number;
}

/** A line that cannot be read. `message` never repeats what stands there: it may be a secret. */
export interface LineProblem {
  readonly line: number;
  readonly key?: string;
  readonly message: string;
}

export interface ParsedFile {
  readonly assignments: readonly Assignment[];
  readonly problems: readonly LineProblem[];
}

/** The lines of a text, numbered from 1, whatever ends them, without a byte order mark. */
export function numberedLines(text: string): { readonly line: number; readonly text: string }[] {
  return text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .map((each, index) => ({ line: index + 1, text: each.replace(/^[ \t]+|[ \t]+$/g, '') }));
}

/**
 * Reads `KEY=value` lines: blank lines, `# comments`, `export KEY=value`, 'single quotes' (all of it as it is)
 * and "double quotes" (\" \\ \$ and \` stand for the second character). A value without quotes runs to the end
 * of the line, `=` and `#` included. Nothing is expanded. What the shell, systemd and Docker would read in
 * different ways is a problem instead of a guess. Never throws.
 */
export function parseEnvFile(text: string): ParsedFile {
  const assignments: Assignment[] = [];
  const problems: LineProblem[] = [];
  const firstLines = new Map<string, number>();
  for (const { line, text: content } of numberedLines(text)) {
    if (content === '' || content.startsWith('#')) continue;
    const match = /^(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*(.*)$/s.exec(content);
    if (match === null) {
      problems.push({ line, message: 'this line is neither KEY=value, nor a comment, nor empty' });
      continue;
    }
    const [, key = '', written = ''] = match;
    const value = unquote(written);
    const firstLine = firstLines.get(key);
    if (firstLine !== undefined) {
      problems.push({ line, key, message: `is set on line ${firstLine} already` });
    } else if (value.problem !== undefined) {
      problems.push({ line, key, message: value.problem });
    } else {
      assignments.push({ key, value: value.text, line });
    }
    if (firstLine === undefined) firstLines.set(key, line);
  }
  return { assignments, problems };
}

type Unquoted = { text: string; problem?: undefined } | { problem: string };

function unquote(written: string): Unquoted {
  if (/(?!\t)\p{Cc}/u.test(written)) return { problem: 'there is a control character in the value' };
  const quote = written[0];
  if (quote !== '"' && quote !== "'") {
    if (/[ \t]#/.test(written)) {
      return {
        problem:
          'a # after a space is read as a comment by some tools and as part of the value by others: put the value ' +
          'in quotes, or the comment on a line of its own',
      };
    }
    return { text: written };
  }
  const inside = quote === "'" ? /^'([^']*)'(.*)$/s : /^"((?:[^"\\]|\\.)*)"(.*)$/s;
  const [whole, body = '', rest = ''] = inside.exec(written) ?? [];
  if (whole === undefined) return { problem: `the ${quote} at the start of the value is never closed` };
  if (!/^([ \t]+#.*)?$/s.test(rest)) return { problem: `there is more behind the closing ${quote}` };
  return { text: quote === "'" ? body : body.replace(/\\(["\\$`])/g, '$1') };
}
