/** A line of the environment files, quoted as `config/env-file.ts` reads it. */
export function assignment(key: string, value: string): string {
  if (/^[\w./:@%+=,-]*$/.test(value)) return `${key}=${value}`;
  if (!value.includes("'")) return `${key}='${value}'`;
  return `${key}="${value.replace(/["\\$`]/g, String.raw`\$&`)}"`;
}
