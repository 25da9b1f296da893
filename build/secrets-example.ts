import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { settings } from '../src/config/schema.ts';
import { type FileName, files, type Setting } from '../src/config/setting.ts';

/** The folder of example files, written from the one table of keys so that the two cannot drift apart. */
export const exampleFolder = join(import.meta.dirname, '..', 'secrets.example');

const introductions: Record<FileName, readonly string[]> = {
  'app.env': ['The server itself.'],
  'acme.env': ['Certificates.'],
  'postgres.env': ['The database. Without POSTGRES_HOST it is embedded and this file is not needed.'],
  'redis.env': ['The cache. Without REDIS_HOST it is embedded and this file is not needed.'],
  'redis.password.conf': [
    'The password of the Redis container, which includes this file in its configuration.',
  ],
  'geoip.key': ['The MaxMind account that newer databases are fetched with.'],
};

/** The text of each example file. */
export function exampleFiles(): ReadonlyMap<string, string> {
  return new Map([...files.map((file) => [file, exampleFile(file)] as const), ['README.md', readme()]]);
}

function exampleFile(file: FileName): string {
  const own = settings.filter(([, setting]) => setting.file === file).map(([, setting]) => setting);
  const intro = comment(introductions[file].join(' '));
  return `${[intro, ...own.map((setting) => section(setting, file))].join('\n\n')}\n`;
}

function section(setting: Setting<unknown>, file: FileName): string {
  const notes = [setting.effective ? '' : ' (from a later release)', setting.secret ? ' (secret)' : ''].join(
    '',
  );
  const standing = typeof setting.default === 'string' ? setting.default : undefined;
  const value = standing ?? setting.example ?? '';
  const lines = [
    comment(setting.help + notes),
    comment(`Allowed: ${setting.kind.allowed}.`),
    comment(standing === undefined ? `${absence(setting)} As an example:` : `Default: ${standing}`),
  ];
  return [...lines, `#${assignment(setting, value, file)}`].join('\n');
}

function absence({ default: standing }: Setting<unknown>): string {
  return standing === undefined ? 'Default: nothing.' : 'Default: as said above.';
}

function assignment({ key }: Setting<unknown>, value: string, file: FileName): string {
  if (file === 'geoip.key') return value;
  if (file === 'redis.password.conf') return `requirepass ${value}`;
  return `${key}=${/[\s"$]/.test(value) ? `'${value}'` : value}`;
}

/** Comment lines of at most 100 characters. */
function comment(text: string): string {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < 98) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => `# ${line}`).join('\n');
}

function readme(): string {
  return `# Configuration by example

Copy this folder, take the \`#\` off the lines that you want to change, and name the copy:

\`\`\`
cp -r secrets.example secrets && chmod 0750 secrets && chmod 0640 secrets/*
appliance config check --secrets-dir ./secrets
appliance serve --secrets-dir ./secrets
\`\`\`

A line that starts with \`# \` explains; a line that starts with \`#\` and a letter or a digit is a setting at its
default, or, where there is no default, an example. Every file may be missing, and so may every key.

- The folder is the one that \`--secrets-dir\` names, else \`APP_SECRETS_DIR\`, else \`/etc/appliance/secrets\` if it
  exists.
- A flag goes before the environment, the environment before a file, a file before the default. The flag of
  \`APP_HTTP_PORT\` is \`--http-port\`, that of \`GEOIP_URL\` is \`--geoip-url\`. Secrets have no flag.
- \`KEY=\` with nothing behind it is the same as no line at all.
- Values may stand in 'single' or "double" quotes. Nothing is expanded: \`$\` is a dollar sign. A comment has a line of
  its own.
- A wrong value, an unknown key and a key that is set twice stop the start; all of them are named at once.
- Paths in files are absolute.
- A key "from a later release" is checked and has no effect yet.

These files are made by \`node build/secrets-example.ts\` from \`src/config/schema.ts\`.
`;
}

if (import.meta.main) {
  mkdirSync(exampleFolder, { recursive: true });
  for (const [name, text] of exampleFiles()) writeFileSync(join(exampleFolder, name), text);
}
