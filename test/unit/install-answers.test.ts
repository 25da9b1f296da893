import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { installCommand } from '../../src/cli/install.ts';
import { type AnswerFacts, judgeFlag, type Said, settleAnswers } from '../../src/cli/install-answers.ts';
import { questionsOn } from '../../src/cli/questions.ts';
import { parseCommandArgs } from '../../src/cli/parse-args.ts';
import { certificateLists } from '../../src/config/certificate-names.ts';

const facts: AnswerFacts = {
  domain: undefined,
  addresses: { public: ['8.8.4.4'], private: ['10.0.0.1'] },
  docker: 'ready',
  dockerPackages: ['docker.io'],
};
const said: Said = {
  domain: undefined,
  email: undefined,
  directoryUrl: undefined,
  hasAnchor: false,
  agreed: false,
  yes: false,
  dryRun: false,
};

/** A person who types these lines; gives what was asked. */
async function asked(lines: readonly string[], flags: Partial<Said> = {}, host: Partial<AnswerFacts> = {}) {
  const input = new PassThrough();
  input.end(lines.map((line) => `${line}\n`).join(''));
  let shown = '';
  const questions = questionsOn(input, { write: (text) => (shown += text) });
  try {
    return { ...(await settleAnswers({ ...said, ...flags }, { ...facts, ...host }, questions)), shown };
  } finally {
    questions.close();
  }
}
const unasked = (flags: Partial<Said> = {}, host: Partial<AnswerFacts> = {}) =>
  settleAnswers({ ...said, ...flags }, { ...facts, ...host }, undefined);

describe('the questions of an install', () => {
  it('are asked for what is missing alone', async () => {
    const { domain, email, shown } = await asked(['a.example', 'me@a.example', 'y']);
    expect([domain, email]).toEqual(['a.example', 'me@a.example']);
    expect(shown).toContain('Enter for a certificate of its own address, 8.8.4.4');
    expect(shown).toContain('terms of the certificate authority (acme-v02.api.letsencrypt.org)? [y/N]');
    expect(shown).not.toContain('Docker');
    const { shown: none } = await asked([], { domain: 'a.example', agreed: true });
    expect(none).toBe('');
    expect((await asked([], {}, { domain: 'a.example' })).shown).toBe('');
  });

  it('are asked again, in words, after every wrong answer', async () => {
    const { domain, email, shown } = await asked([
      'http://a.example',
      'a b',
      'a.example',
      'nobody',
      'me@a.example',
      'perhaps',
      'yes',
    ]);
    expect([domain, email]).toEqual(['a.example', 'me@a.example']);
    expect(shown).toContain('write the name alone, without scheme and path');
    expect(shown).toContain('names have a comma between them');
    expect(shown).toContain('"nobody" is not right');
    expect(shown).toContain('Please answer with yes or no.');
  });

  it('take Enter for the address of the host, no e-mail, and no agreement', async () => {
    await expect(asked(['', '', ''])).rejects.toMatchObject({ code: 'declined', exitCode: 2 });
    const { domain, email } = await asked(['', '', 'y']);
    expect([domain, email]).toEqual(['8.8.4.4', undefined]);
  });

  it('say what follows from private addresses, and need a name there', async () => {
    const { domain, shown } = await asked(
      ['', 'a.example', '', 'y'],
      {},
      { addresses: { public: [], private: ['10.0.0.1'] } },
    );
    expect(domain).toBe('a.example');
    expect(shown).toContain(
      'private addresses only (10.0.0.1), and public authorities certify names and public',
    );
    expect(shown).toContain('A name is needed');
  });

  it('offer Docker where it is missing', async () => {
    const missing = { docker: 'missing' } as const;
    expect((await asked(['a.example', '', 'y', ''], {}, missing)).shown).toContain(
      'Install docker.io? [Y/n]',
    );
    await expect(asked(['a.example', '', 'y', 'n'], {}, missing)).rejects.toMatchObject({ code: 'declined' });
  });

  it('offer what Docker lacks where it is there without Compose', async () => {
    const lacking = { docker: 'no-compose', dockerPackages: ['docker-compose-plugin'] } as const;
    expect((await asked(['a.example', '', 'y', ''], {}, lacking)).shown).toContain(
      'Docker is here without Compose. Install docker-compose-plugin? [Y/n]',
    );
    await expect(unasked({}, lacking)).rejects.toThrow(
      "--yes to install Docker's Compose (docker-compose-plugin), or --no-containers",
    );
  });

  it('end in words where the input ends', async () => {
    await expect(asked(['a.example'])).rejects.toMatchObject({ code: 'interrupted' });
  });
});

describe('without anybody to ask', () => {
  it('all that is missing is named at once', async () => {
    await expect(unasked({}, { docker: 'missing' })).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringMatching(
        /--domain NAME, or --yes .*8\.8\.4\.4\n.*--agree-tos.*\n.*--no-containers/,
      ) as string,
    });
  });

  it('--yes takes the own address and agrees, and says so', async () => {
    const { domain, notes } = await unasked({ yes: true }, { docker: 'missing' });
    expect(domain).toBe('8.8.4.4');
    expect(notes.join('\n')).toMatch(/own address, 8\.8\.4\.4\n--yes: you agree to the terms .*letsencrypt/);
  });

  it('a dry run takes what --yes would, and agrees to nothing', async () => {
    const { domain, notes } = await unasked({ dryRun: true }, { docker: 'missing' });
    expect(domain).toBe('8.8.4.4');
    expect(notes.join('\n')).toContain('to be agreed to, with --agree-tos or --yes: the terms');
    expect(notes.join('\n')).not.toContain('you agree');
  });

  it('--yes takes a private address for a private authority alone', async () => {
    const host = { addresses: { public: [], private: ['10.0.0.1'] } };
    await expect(unasked({ yes: true }, host)).rejects.toThrow('private addresses only (10.0.0.1)');
    const { domain } = await unasked({ yes: true, hasAnchor: true }, host);
    expect(domain).toBe('10.0.0.1');
  });

  it('nothing is missing on a host that is installed', async () => {
    expect(await unasked({}, { domain: 'a.example' })).toEqual({
      domain: undefined,
      email: undefined,
      notes: [],
    });
  });
});

/** Only its flags are looked at. */
const install = installCommand({} as never, () => []);

describe('a flag', () => {
  it.each(['a b', 'http://a', '*', '1.2.3', 'a..b', ''])('--domain %j is refused at once', (text) => {
    expect(() => judgeFlag('domain', certificateLists, text)).toThrow(/^--domain: /);
  });
  it('--domain given several times names one certificate of them all', () => {
    const { domain } = parseCommandArgs(install, ['--domain', 'a.example', '--domain', 'b.example']).flags;
    expect(judgeFlag('domain', certificateLists, domain)).toBe('a.example,b.example');
    expect(() => parseCommandArgs(install, ['--email', 'a@b.c', '--email', 'd@b.c'])).toThrow(
      '--email is given twice',
    );
  });
});
