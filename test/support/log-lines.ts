import type { Logger } from '../../src/ports/logger.ts';

/** A logger that keeps what it was told, for tests to read. */
export function logLines(): Logger & { readonly lines: string[] } {
  const lines: string[] = [];
  const keep = (level: string) => (fields: object, message: string) => {
    lines.push(`${level}: ${message} ${JSON.stringify(fields)}`);
  };
  return {
    lines,
    debug: keep('debug'),
    info: keep('info'),
    warn: keep('warn'),
    error: keep('error'),
    debugging: true,
  };
}
