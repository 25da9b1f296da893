import type { Config } from './schema.ts';

/** What the certificates are for, each once. */
export function certifiedNames({ certificates }: Partial<Config>): readonly string[] {
  return [...new Set((certificates ?? []).flat())];
}

/** What this host is called: those names, and the public ones, each once. */
export function ourNames(config: Partial<Config>): readonly string[] {
  return [...new Set([...certifiedNames(config), ...(config.publicNames ?? [])])];
}
