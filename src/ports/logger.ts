/** Structured logging. `fields` never carry a secret; a client's whole address only at `debug`. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** Whether `debug` lines are wanted, so that a hot path need not build them. */
  readonly debugging: boolean;
}
