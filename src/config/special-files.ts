import { type Assignment, type LineProblem, numberedLines, type ParsedFile } from './env-file.ts';

/**
 * Reads the one `requirepass` line of a file that Redis includes in its own configuration, quoted as Redis
 * takes it (`"…"` with \" \\ \n \r \t \b \a \xHH, or '…' with \'). The assignment's key is `requirepass`.
 */
export function parseRedisPasswordFile(text: string): ParsedFile {
  return parseOneLine(text, 'requirepass', (content) => {
    const [, word = '', argument = ''] = /^(\S+)\s*(.*)$/s.exec(content) ?? [];
    if (word.toLowerCase() !== 'requirepass') return undefined;
    return redisArgument(argument);
  });
}

/** Reads the one `ACCOUNT:KEY` line of `geoip.key`. The assignment's key is `geoip.key`. */
export function parseGeoipKeyFile(text: string): ParsedFile {
  return parseOneLine(text, 'geoip.key', (content) => content);
}

function parseOneLine(text: string, key: string, read: (content: string) => string | undefined): ParsedFile {
  const assignments: Assignment[] = [];
  const problems: LineProblem[] = [];
  let firstLine: number | undefined;
  for (const { line, text: content } of numberedLines(text)) {
    if (content === '' || content.startsWith('#')) continue;
    const value = read(content);
    if (firstLine !== undefined) {
      problems.push({ line, message: `only one line is wanted here, and line ${firstLine} is one already` });
    } else if (value === undefined) {
      problems.push({ line, message: 'this line is neither requirepass with one password, nor a comment' });
    } else {
      assignments.push({ key, value, line });
    }
    firstLine ??= line;
  }
  return { assignments, problems };
}

const redisEscapes: Record<string, string> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' };

function redisArgument(written: string): string | undefined {
  if (/^[^\s"']\S*$/.test(written)) return written;
  const [, double] = /^"((?:[^"\\]|\\.)*)"$/s.exec(written) ?? [];
  if (double !== undefined) {
    return double.replace(/\\(?:x([0-9a-fA-F]{2})|(.))/gs, (_, hex: string | undefined, character: string) =>
      hex === undefined ? (redisEscapes[character] ?? character) : String.fromCharCode(parseInt(hex, 16)),
    );
  }
  const [, single] = /^'((?:[^'\\]|\\.)*)'$/s.exec(written) ?? [];
  return single?.replace(/\\'/g, "'");
}
