import { Failure } from '../core/errors.ts';

export interface Interruption {
  readonly signal: AbortSignal;
  /** Ctrl-C ends the process again, as it did before. */
  dispose(): void;
}

/**
 * From this call on the first Ctrl-C, or SIGTERM, aborts the signal with a Failure that says `what`; the second ends
 * the process at once.
 */
export function interruption(what: string, remedy: string): Interruption {
  const controller = new AbortController();
  const signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM'];
  const dispose = (): void => {
    for (const signal of signals) process.off(signal, interrupt);
  };
  const interrupt = (): void => {
    dispose();
    controller.abort(new Failure(what, { code: 'interrupted', remedy }));
  };
  for (const signal of signals) process.on(signal, interrupt);
  return { signal: controller.signal, dispose };
}
