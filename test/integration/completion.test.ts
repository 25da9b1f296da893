import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type InteractiveShell, startShell } from '../support/interactive-shell.ts';

const program = join(import.meta.dirname, '../../src/main.ts');
const run = (...args: string[]) => execFileSync(process.execPath, [program, ...args], { encoding: 'utf8' });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'completion-'));
  mkdirSync(join(folder, 'files/a folder'), { recursive: true });
  for (const name of ['my file.age', `it's "odd" $HOME.age`]) writeFileSync(join(folder, 'files', name), '');
  for (const shell of ['bash', 'zsh', 'fish']) writeFileSync(join(folder, shell), run('completion', shell));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the shell would have run after these keys: the command prints its arguments. */
const said = async (shell: InteractiveShell, keys: string): Promise<string[]> => {
  const shown = await shell.type(`${keys}\n`, /«.*»/s);
  const [, line = ''] = /«(.*)»/s.exec(shown) ?? [];
  return line.split('¦').slice(0, -1);
};
const show = String.raw`appliance() { printf '«'; printf '%s¦' "$@"; printf '»\n'; }`;

describe('bash', () => {
  let shell: InteractiveShell;
  beforeAll(async () => {
    shell = startShell('bash --noprofile --norc -i', folder);
    await shell.type(`set -u; . ./bash; ${show}; cd files; echo rea''dy\n`, 'ready');
  });
  afterAll(() => shell.end());

  /** Alt-* writes all that TAB would offer. */
  it.each([
    ['', ['serve', 'status', 'stack', 'help']],
    ['stack ', ['stack', 'up', 'down', 'ps', 'logs']],
    ['help ', ['help', 'serve', 'configuration', 'stack']],
    ['help backup ', ['help', 'backup', 'create', 'restore']],
    ['backup create ', ['backup', 'create', '--alert', '--no-encryption']],
    ['serve --ht', ['serve', '--http-port', '--https-port']],
    ['admin user add anna --role ', ['admin', 'user', 'add', 'anna', '--role', 'owner', 'viewer']],
    ['completion ', ['completion', 'bash', 'zsh', 'fish']],
    ['backup verify ', ['backup', 'verify', 'my file.age', `it's "odd" $HOME.age`, 'a folder']],
    ['backup restore "my', ['backup', 'restore', 'my file.age']],
    [`backup restore 'my`, ['backup', 'restore', 'my file.age']],
    ['backup restore my\\ ', ['backup', 'restore', 'my file.age']],
    ['renew-certs --import ', ['renew-certs', '--import', 'a folder']],
  ])('completes "appliance %s"', async (typed, expected) => {
    const words = await said(shell, `appliance ${typed}\u001b*`);
    expect(words).toEqual(expect.arrayContaining(expected));
    expect(words.some((word) => ['scheduled', 'worker', 'man-page'].includes(word))).toBe(false);
  });

  it.each([
    ['serve --hsts=o', ['serve', '--hsts=off']],
    ['--data-dir x ser', ['--data-dir', 'x', 'serve']],
    ['serve --listen-host sta', ['serve', '--listen-host', 'sta']],
    ['backup verify one.age ', ['backup', 'verify', 'one.age']],
    ['db shell -- -c ', ['db', 'shell', '--', '-c']],
    ['uninstall --p', ['uninstall', '--purge']],
    ['nonsense ', ['nonsense']],
    [`serve '$(x)' "$(echo y)" \\"z`, ['serve', '$(x)', 'y', '"z']],
  ])('takes "appliance %s" for what it is', async (typed, expected) => {
    expect(await said(shell, `appliance ${typed}\t`)).toEqual(expected);
  });
});

describe('zsh', () => {
  let shell: InteractiveShell;
  beforeAll(async () => {
    const setUp = [
      'autoload -Uz compinit; compinit -u -D; unsetopt beep; . ~/zsh; cd files',
      show,
      // Ctrl-X a writes all that TAB would offer
      "zle -C all complete-word _generic; bindkey '^Xa' all; zstyle ':completion:all:*' insert yes",
      "zstyle ':completion:all::::' completer _all_matches _complete",
      "PS1='ready> '",
    ];
    writeFileSync(join(folder, '.zshrc'), `${setUp.join('\n')}\n`);
    shell = startShell('zsh -i', folder);
    await shell.type('', 'ready> ');
  });
  afterAll(() => shell.end());

  it.each([
    ['stack ', ['stack', 'up', 'down', 'ps', 'logs']],
    ['help ', ['help', 'serve', 'configuration']],
    ['help backup ', ['help', 'backup', 'create', 'restore']],
    ['serve --ht', ['serve', '--http-port', '--https-port']],
    ['backup create ', ['backup', 'create', '--alert', '--no-encryption']],
    ['admin user add anna --role ', ['admin', 'user', 'add', 'anna', '--role', 'owner', 'viewer']],
    ['backup verify ', ['backup', 'verify', 'my file.age', `it's "odd" $HOME.age`]],
  ])('completes "appliance %s"', async (typed, expected) => {
    expect(await said(shell, `appliance ${typed}\u0018a`)).toEqual(expect.arrayContaining(expected));
  });

  it.each([
    ['serve --hsts=of', ['serve', '--hsts=off']],
    ['backup restore "my', ['backup', 'restore', 'my file.age']],
    [`backup restore it`, ['backup', 'restore', `it's "odd" $HOME.age`]],
    ['renew-certs --import ', ['renew-certs', '--import', 'a folder']],
    ['serve --listen-host stack ser', ['serve', '--listen-host', 'stack', 'ser']],
  ])('takes "appliance %s" for what it is', async (typed, expected) => {
    expect(await said(shell, `appliance ${typed}\t`)).toEqual(expected);
  });
});

describe('fish', () => {
  const offered = (line: string): string[] => {
    const script = `source ${folder}/fish; cd ${folder}/files; complete -C (cat)`;
    const { stdout, stderr, status } = spawnSync('fish', ['--no-config', '-c', script], {
      input: line,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: folder, LC_ALL: 'C.UTF-8' },
    });
    expect([status, stderr]).toEqual([0, '']);
    return stdout.split('\n').map((each) => each.split('\t')[0]!);
  };

  it.each([
    ['', ['serve', 'status', 'stack', 'help'], ['up', 'scheduled', 'my file.age']],
    ['stack ', ['up', 'down', 'ps', 'logs'], ['serve', 'my file.age']],
    ['help ', ['serve', 'configuration'], ['up', 'help']],
    ['help backup ', ['create', 'restore'], ['serve']],
    ['serve --ht', ['--http-port', '--https-port'], ['--json']],
    ['backup create --', ['--alert', '--no-encryption'], ['--follow']],
    ['admin user add anna --role ', ['owner', 'viewer'], ['my file.age']],
    ['serve --hsts=o', ['--hsts=off'], ['--hsts=auto']],
    ['backup verify ', ['my file.age', `it's "odd" $HOME.age`], ['create']],
    ['backup restore "my', ['my file.age'], [`it's "odd" $HOME.age`]],
    ['renew-certs --import ', ['a folder/'], ['my file.age']],
    ['serve --listen-host stack ', [], ['up', 'serve']],
    ['db shell -- ', [], ['--help', 'shell', 'serve']],
  ])('completes "appliance %s"', (typed, expected, not) => {
    const words = offered(`appliance ${typed}`);
    expect(words).toEqual(expect.arrayContaining(expected));
    expect(words.filter((word) => not.includes(word))).toEqual([]);
  });
});

describe('the command', () => {
  it('names the shells that there are', () => {
    const wrong = spawnSync(process.execPath, [program, 'completion', 'tcsh'], { encoding: 'utf8' });
    expect([wrong.status, wrong.stderr]).toEqual([2, expect.stringContaining('bash, zsh, fish')]);
  });
});
