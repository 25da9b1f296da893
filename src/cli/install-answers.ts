import { certificateLists } from '../config/certificate-names.ts';
import { type Kind, Refusal } from '../config/kind.ts';
import { letsEncrypt } from '../config/lets-encrypt.ts';
import { schema } from '../config/schema.ts';
import { exitCodes, Failure, UsageError } from '../core/errors.ts';
import type { Judged, Questions } from './questions.ts';

/** What has to be known of a host before anybody is asked. */
export interface AnswerFacts {
  readonly domain: string | undefined;
  readonly addresses: { readonly public: readonly string[]; readonly private: readonly string[] };
  readonly docker: 'ready' | 'missing' | 'no-compose' | 'stopped' | 'not-needed';
  /** What it lacks. */
  readonly dockerPackages: readonly string[] | undefined;
}

/** What the flags say. */
export interface Said {
  readonly domain: string | undefined;
  readonly email: string | undefined;
  readonly directoryUrl: string | undefined;
  readonly hasAnchor: boolean;
  readonly agreed: boolean;
  readonly yes: boolean;
  /** It decides as `--yes` does, agrees to nothing and installs nothing. */
  readonly dryRun: boolean;
}

export interface Answers {
  readonly domain: string | undefined;
  readonly email: string | undefined;
  /** What was decided without asking, in sentences. */
  readonly notes: readonly string[];
}

/**
 * Settles what the flags leave open. `questions`: undefined where nobody is there; then whatever is missing is named at once, by
 * the flag that says it, in a UsageError.
 */
export async function settleAnswers(
  said: Said,
  facts: AnswerFacts,
  questions: Questions | undefined,
): Promise<Answers> {
  const notes: string[] = [];
  const missing: string[] = [];
  const isNew = facts.domain === undefined;
  const asks = said.yes || said.dryRun ? undefined : questions;

  let { domain, email } = said;
  if (domain === undefined && isNew) {
    domain =
      asks === undefined ? ownAddress(said, facts, notes, missing) : await askDomain(said, facts, asks);
    if (email === undefined && asks !== undefined) email = await askEmail(asks);
  }
  if (isNew && !said.agreed) await settleTerms(said, asks, notes, missing);
  if (facts.docker === 'missing' || facts.docker === 'no-compose')
    await settleDocker(said, facts, asks, missing);
  if (missing.length > 0) {
    throw new UsageError(
      `nobody is there to be asked, and this is missing:\n${missing.map((line) => `  ${line}`).join('\n')}`,
      'add it to the command; --dry-run shows what would be done',
    );
  }
  return { domain, email, notes };
}

/** Without a domain, and without anybody to ask. */
function ownAddress(
  { yes, dryRun, hasAnchor }: Said,
  { addresses }: AnswerFacts,
  notes: string[],
  missing: string[],
): string | undefined {
  const [address] = hasAnchor ? [...addresses.public, ...addresses.private] : addresses.public;
  if (address === undefined) {
    missing.push(`--domain NAME: ${privateOnly(addresses.private)}`);
    return undefined;
  }
  if (!yes && !dryRun) {
    missing.push(`--domain NAME, or --yes for a certificate of this host's own address, ${address}`);
    return undefined;
  }
  notes.push(`no --domain: the certificate is for this host's own address, ${address}`);
  return address;
}

function privateOnly(addresses: readonly string[]): string {
  const own =
    addresses.length === 0
      ? 'this host has no address'
      : `this host has private addresses only (${addresses.join(', ')})`;
  return `${own}, and public authorities certify names and public addresses`;
}

async function askDomain(
  { hasAnchor }: Said,
  { addresses }: AnswerFacts,
  questions: Questions,
): Promise<string> {
  const [own] = hasAnchor ? [...addresses.public, ...addresses.private] : addresses.public;
  const question =
    own === undefined
      ? `${capital(privateOnly(addresses.private))}.\nName of this host (several with commas):`
      : `Name of this host (several with commas; Enter for a certificate of its own address, ${own}):`;
  return questions.ask(question, (answer) => {
    if (answer !== '') return judge(certificateLists, answer);
    return own === undefined ? { problem: 'A name is needed, such as whoami.example.com.' } : { value: own };
  });
}

function askEmail(questions: Questions): Promise<string | undefined> {
  return questions.ask<string | undefined>(
    "E-mail for the authority's notices (Enter for none):",
    (answer) => (answer === '' ? { value: undefined } : judge(schema.certEmail.kind, answer)),
  );
}

async function settleTerms(
  { yes, dryRun, directoryUrl }: Said,
  questions: Questions | undefined,
  notes: string[],
  missing: string[],
): Promise<void> {
  const authority = new URL(directoryUrl ?? letsEncrypt).host;
  if (yes) notes.push(`--yes: you agree to the terms of the certificate authority (${authority})`);
  else if (dryRun)
    notes.push(
      `to be agreed to, with --agree-tos or --yes: the terms of the certificate authority (${authority})`,
    );
  else if (questions === undefined)
    missing.push(`--agree-tos: the terms of the certificate authority (${authority})`);
  else if (
    !(await questions.confirm(
      `Do you agree to the terms of the certificate authority (${authority})?`,
      false,
    ))
  )
    throw declined('without that there is no certificate; nothing was changed');
}

async function settleDocker(
  { yes, dryRun }: Said,
  { docker, dockerPackages }: AnswerFacts,
  questions: Questions | undefined,
  missing: string[],
): Promise<void> {
  // that there are none is said by the plan
  if (yes || dryRun || dockerPackages === undefined) return;
  const packages = dockerPackages.join(', ');
  const [what, lack] =
    docker === 'missing'
      ? ['Docker', 'Docker is missing']
      : ["Docker's Compose", 'Docker is here without Compose'];
  if (questions === undefined) {
    missing.push(`--yes to install ${what} (${packages}), or --no-containers to do without`);
  } else if (!(await questions.confirm(`${lack}. Install ${packages}?`, true))) {
    throw declined('database and cache run in Docker; nothing was changed');
  }
}

function declined(message: string): Failure {
  return new Failure(message, {
    code: 'declined',
    exitCode: exitCodes.usage,
    remedy: 'run it again when you have decided; --no-containers does without Docker',
  });
}

/** A value as the configuration would read it, or why not. Gives the text, not what it means. */
function judge(kind: Kind<unknown>, text: string): Judged<string> {
  const value = kind.parse(text);
  if (!(value instanceof Refusal)) return { value: kind.format(value) };
  const reasons = [value, ...value.others].map(({ found, why }) =>
    [`"${found}"`, 'is not right', ...(why === undefined ? [] : [`(${why})`])].join(' '),
  );
  return { problem: `${reasons.join('; ')}. Allowed: ${kind.allowed}.` };
}

/** The same for a flag. Throws a UsageError. */
export function judgeFlag(name: string, kind: Kind<unknown>, text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const judged = judge(kind, text);
  if ('value' in judged) return judged.value;
  throw new UsageError(
    `--${name}: ${judged.problem.replace(/ Allowed: .*$/s, '').replace(/\.$/, '')}`,
    `allowed: ${kind.allowed}`,
  );
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
