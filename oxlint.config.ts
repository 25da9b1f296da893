import { defineConfig } from 'oxlint';

/**
 * Which parts of src/ each part may import besides itself: a folder, one file of it (`*` matches within a name),
 * or, after `type`, its types alone. Nothing that is not listed.
 */
const services = ['whoami', 'certificates', 'visits', 'history', 'backup', 'host', 'admin'];
const service = ['ports', 'core', 'type config'];
const directions: Readonly<Record<string, readonly string[]>> = {
  core: [],
  ports: ['core'],
  config: ['core'],
  whoami: service,
  certificates: service,
  visits: service,
  history: service,
  backup: service,
  host: service,
  admin: service,
  adapters: ['ports', 'core'],
  web: ['core'],
  http: ['web', ...services, 'ports', 'core'],
  supervisor: ['http', 'config', 'ports', 'core'],
  cli: [...services.map((name) => `type ${name}`), 'supervisor/control*.ts', 'config', 'core'],
  wire: ['core', 'config', 'ports', 'adapters', ...services, 'web', 'http', 'supervisor'],
  'main.ts': ['cli', 'wire', 'core/errors.ts', 'core/early-signals.ts', 'core/written.ts'],
};

const escape = (name: string) => name.replaceAll('.', String.raw`\.`);

/** The ways of writing an import that no pattern below could judge. */
const disguised = [
  {
    regex: String.raw`[^./][^/]*/+\.{1,2}(/|$)`,
    message: 'Write the shortest path: no `..` or `.` after a name.',
  },
  { regex: String.raw`^(/|file:)`, message: 'Write a relative path.' },
];
const native = {
  regex: '^(uWebSockets\\.js|@uwsjs)(/|$)',
  message: 'src/http/native.ts alone imports uWebSockets.js.',
};

function patternsFor(part: string) {
  const inFolder = !part.endsWith('.ts');
  const up = inFolder ? String.raw`^(\./+)*(\.\./+)+` : String.raw`^(\./+)+`;
  const allowed = directions[part] ?? [];
  const patterns: object[] = [];
  for (const other of Object.keys(directions)) {
    if (other === part || allowed.includes(other)) continue;
    const files = allowed.filter((entry) => entry.startsWith(`${other}/`));
    const message = `src/${part} may import only: ${allowed.join(', ') || 'nothing of ours'}.`;
    if (files.length > 0) {
      patterns.push({ group: [`**/${other}/**`, ...files.map((file) => `!**/${file}`)], message });
      continue;
    }
    const allowTypeImports = allowed.includes(`type ${other}`);
    patterns.push({ regex: `${up}${escape(other)}(/|$)`, message, allowTypeImports });
  }
  const outside = inFolder ? String.raw`^(\./+)*(\.\./+)+(build|test)/` : String.raw`^(\./+)*\.\./`;
  patterns.push({ regex: outside, message: 'src/ imports nothing from outside itself.' });
  return [...patterns, ...disguised];
}

/** The last override that matches a file replaces the ones before it, so each is whole. */
const importRules = (patterns: object[]) => ({ 'no-restricted-imports': ['error', { patterns }] }) as const;

export default defineConfig({
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'promise', 'node', 'vitest'],
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: 'error' },
  categories: { correctness: 'error', suspicious: 'error' },
  ignorePatterns: ['node_modules', 'dist', '.build', '.appliance'],
  rules: {
    eqeqeq: 'error',
    'no-var': 'error',
    'prefer-const': 'error',
    'no-param-reassign': 'error',
    'no-console': 'off',
    'no-await-in-loop': 'off',
    'no-shadow': 'off',
    'no-unmodified-loop-condition': 'off',
    'no-underscore-dangle': 'off',
    'import/no-cycle': 'error',
    'import/no-duplicates': 'error',
    'import/no-dynamic-require': ['error', { esmodule: true }],
    'import/no-named-as-default-member': 'off',
    'import/no-unassigned-import': 'off',
    'node/no-process-env': 'off',
    'promise/always-return': 'off',
    'promise/no-promise-in-callback': 'off',
    'typescript/await-thenable': 'error',
    'typescript/consistent-type-imports': 'error',
    'typescript/no-explicit-any': 'error',
    'typescript/no-floating-promises': 'error',
    'typescript/no-import-type-side-effects': 'error',
    'typescript/no-misused-promises': 'error',
    // what an index that was just checked needs, in loops too hot for a second check
    'typescript/no-non-null-assertion': 'off',
    'typescript/no-require-imports': 'error',
    'typescript/no-unnecessary-condition': 'off',
    'typescript/no-unsafe-type-assertion': 'off',
    'typescript/only-throw-error': 'error',
    'typescript/prefer-promise-reject-errors': 'error',
    'typescript/return-await': ['error', 'in-try-catch'],
    // factories return closures, which need no `this`
    'typescript/unbound-method': 'off',
    'typescript/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
    'unicorn/no-array-sort': 'off',
    'unicorn/no-new-array': 'off',
    'unicorn/prefer-node-protocol': 'error',
    // takes threads for windows
    'unicorn/require-post-message-target-origin': 'off',
    'unicorn/consistent-function-scoping': 'off',
    'vitest/no-disabled-tests': 'error',
    'vitest/valid-expect': ['error', { maxArgs: 2 }],
    'vitest/no-focused-tests': 'error',
    'no-restricted-imports': ['error', { patterns: [native] }],
  },
  overrides: [
    { files: ['src/**'], rules: { 'no-console': 'error', ...importRules([native, ...disguised]) } },
    ...Object.keys(directions).map((part) => ({
      files: [part.endsWith('.ts') ? `src/${part}` : `src/${part}/**`],
      rules: importRules([native, ...patternsFor(part)]),
    })),
    { files: ['src/http/native.ts'], rules: importRules(patternsFor('http')) },
    { files: ['src/cli/**', 'src/main.ts'], rules: { 'no-console': 'off' } },
    // names of tests are sentences built from tables, and checks live in shared functions
    {
      files: ['test/**'],
      rules: {
        'vitest/valid-title': 'off',
        'vitest/expect-expect': 'off',
        'vitest/no-conditional-expect': 'off',
        // alphabets of made-up input
        'typescript/no-misused-spread': 'off',
        // checks that several tests share
        'vitest/no-standalone-expect': 'off',
      },
    },
  ],
});
