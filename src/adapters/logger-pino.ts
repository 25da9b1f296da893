import { writeSync } from 'node:fs';
import { pino, type DestinationStream } from 'pino';
import pretty from 'pino-pretty';
import { Failure, reasonOf } from '../core/errors.ts';
import type { Logger } from '../ports/logger.ts';

/** A pino logger whose level may be changed later. */
export interface LeveledLogger extends Logger {
  setLevel(level: string): void;
}

/**
 * Logs to standard error: one JSON object a line, or, on a terminal, lines for people. Writes are synchronous,
 * so nothing is lost when a process dies; what a full disk or a closed pipe will not take is dropped, because a
 * server that ends over its log helps nobody. Keys that name a secret are never written out, whoever logs them.
 */
export function createLogger(level: string, base: object = {}): LeveledLogger {
  const readable = process.stderr.isTTY
    ? pretty.prettyFactory({ colorize: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' })
    : (line: string) => line;
  const stream: DestinationStream = { write: (line) => writeOrDrop(readable(line)) };
  const logger = pino(
    {
      level,
      base: { pid: process.pid, ...base },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: errorFields },
      redact: {
        paths: ['password', 'pass', 'secret', 'token', 'key', 'authorization', 'cookie'].flatMap((name) => [
          name,
          `*.${name}`,
        ]),
        censor: '(redacted)',
      },
    },
    stream,
  );
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    get debugging() {
      return logger.isLevelEnabled('debug');
    },
    setLevel(next) {
      logger.level = next;
    },
  };
}

function writeOrDrop(text: string): void {
  try {
    writeSync(2, text);
  } catch {
    // there is nobody left to tell
  }
}

/** A failure that was foreseen says all in its words; where it came about matters for the others alone. */
function errorFields(error: unknown): object {
  if (!(error instanceof Failure)) return pino.stdSerializers.err(error as Error);
  const { code, message, remedy, cause } = error;
  return { code, message, remedy, ...(cause === undefined ? {} : { cause: reasonOf(cause) }) };
}
