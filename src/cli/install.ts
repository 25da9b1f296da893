import { X509Certificate } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { CheckResult } from '../host/checks/run-checks.ts';
import type { Applied, Report } from '../host/install/apply.ts';
import type { Plan } from '../host/install/plan.ts';
import { certificateLists } from '../config/certificate-names.ts';
import { schema } from '../config/schema.ts';
import { type ExitCode, exitCodes, Failure, reasonOf, UsageError } from '../core/errors.ts';
import type { Command, Io, ParsedArgs } from './command.ts';
import { type AnswerFacts, judgeFlag, settleAnswers } from './install-answers.ts';
import { installedPage, type InstalledHost } from './install-page.ts';
import { planForScripts, planText, reportTo } from './install-report.ts';
import { interruption } from './interruption.ts';
import { type Questions, questionsOn } from './questions.ts';
import { warn } from './secrets-place.ts';
import type { ShellFile } from './shell-files.ts';

interface Request {
  readonly wishes: {
    readonly domain: string | undefined;
    readonly email: string | undefined;
    readonly directoryUrl: string | undefined;
  };
  readonly anchor: { readonly file: string; readonly pem: string } | undefined;
  readonly noContainers: boolean;
  readonly images: string | undefined;
  readonly replaceEdited: boolean;
  readonly shellFiles: readonly ShellFile[];
  readonly docker: AnswerFacts['docker'];
  readonly environment: Io['environment'];
}

interface Prepared extends Omit<InstalledHost, 'changed' | 'tookMs'> {
  readonly findings: readonly CheckResult[];
  readonly plan: Plan;
  apply(report: Report, signal: AbortSignal): Promise<Applied>;
}

export interface Installer {
  facts(
    environment: Io['environment'],
    options: { readonly noContainers: boolean },
  ): Promise<AnswerFacts & { readonly containers: string }>;
  /** `lock`: nobody else installs until the work is done. */
  withPlan<Result>(
    request: Request,
    lock: boolean,
    work: (prepared: Prepared) => Promise<Result>,
  ): Promise<Result>;
}

export function installCommand(installer: Installer, shellFiles: () => readonly ShellFile[]): Command {
  return {
    name: 'install',
    summary: 'make this host run the service; again, it repairs and changes nothing else',
    usage: 'install [--domain NAMES] [--no-containers] [--dry-run] [--yes]',
    examples: [
      { command: 'sudo appliance install', does: 'asks what it has to know' },
      {
        command: 'sudo appliance install --domain whoami.example.com --email you@example.com --yes',
        does: 'asks nothing',
      },
      { command: 'sudo appliance install --dry-run', does: 'show the plan and change nothing' },
      {
        command: 'sudo appliance install --domain whoami.example.com --images images.tar --yes',
        does: 'without a registry',
      },
    ],
    options: {
      domain: {
        value: 'NAMES',
        many: true,
        help: "names for the certificate, with commas, or the flag several times (this host's public address)",
      },
      email: { value: 'ADDRESS', help: 'where the certificate authority reaches you' },
      'agree-tos': { help: 'agree to the terms of the certificate authority' },
      'acme-directory': { value: 'URL', help: "another authority than Let's Encrypt" },
      'acme-ca-file': { value: 'FILE', help: 'the root certificate of a private authority, PEM' },
      'no-containers': { help: 'keep database and cache in a file of this host, without Docker' },
      images: { value: 'FILE', help: 'images of the containers, out of "docker save"' },
      front: { value: 'nginx', help: 'another server before it; not in this release' },
      'replace-edited': { help: 'take our text where you edited files of ours, such as units' },
      'dry-run': { help: 'show the plan and change nothing' },
      json: { help: 'with --dry-run: the plan as JSON' },
      yes: { help: "ask nothing, install what is missing, agree to the authority's terms" },
    },
    async run(args, io) {
      const { flags, switches } = args;
      mustMakeSense(args);
      const said = {
        domain: judgeFlag('domain', certificateLists, flags['domain']),
        email: judgeFlag('email', schema.certEmail.kind, flags['email']),
        directoryUrl: judgeFlag('acme-directory', schema.certDirectoryUrl.kind, flags['acme-directory']),
      };
      const anchor = anchorOf(flags['acme-ca-file'], io);
      const images = imagesOf(flags['images'], io);
      mustBeRoot();
      const noContainers = switches.has('no-containers');
      const dryRun = switches.has('dry-run');
      const yes = switches.has('yes');
      const facts = await installer.facts(io.environment, { noContainers });
      const questions =
        process.stdin.isTTY && !yes && !dryRun ? questionsOn(process.stdin, io.stderr) : undefined;
      try {
        const answers = await settleAnswers(
          { ...said, hasAnchor: anchor !== undefined, agreed: switches.has('agree-tos'), yes, dryRun },
          facts,
          questions,
        );
        if (!switches.has('json')) {
          for (const note of answers.notes) io.stderr.write(`${note}\n`);
          if (facts.containers === 'stays-embedded')
            io.stderr.write('this host keeps its state in a file, and goes on doing so\n');
        }
        const request: Request = {
          wishes: { ...said, domain: answers.domain, email: answers.email },
          anchor,
          noContainers,
          images,
          replaceEdited: switches.has('replace-edited'),
          shellFiles: shellFiles(),
          docker: facts.docker,
          environment: io.environment,
        };
        const beganMs = performance.now();
        return await installer.withPlan(request, !dryRun, (prepared) =>
          carryOut(prepared, { io, questions, dryRun, json: switches.has('json'), beganMs }),
        );
      } finally {
        questions?.close();
      }
    },
  };
}

interface Manner {
  readonly io: Io;
  /** Undefined where nobody is to be asked. */
  readonly questions: Questions | undefined;
  readonly dryRun: boolean;
  readonly json: boolean;
  /** As `performance.now()` has it. */
  readonly beganMs: number;
}

async function carryOut(
  prepared: Prepared,
  { io, questions, dryRun, json, beganMs }: Manner,
): Promise<ExitCode> {
  const { findings, plan } = prepared;
  if (json) {
    io.stdout.write(
      `${JSON.stringify({ schema: 1, checks: findings, ...planForScripts(plan) }, undefined, 2)}\n`,
    );
    return findings.some(({ state }) => state === 'failed') ? exitCodes.checkFailed : exitCodes.done;
  }
  for (const { state, name, words, remedy } of findings) {
    if (state === 'warning') warn(io, `${name}: ${words}${remedy === undefined ? '' : `; ${remedy}`}`);
  }
  refuseWhereFailed(findings);
  const changes = plan.steps.some(({ look }) => look.state === 'to-do');
  if (dryRun) {
    io.stdout.write(planText(plan, io.stdout, 'This would be done'));
    return exitCodes.done;
  }
  if (questions !== undefined || !changes) io.stdout.write(planText(plan, io.stdout, 'This will be done'));
  else showDetails(plan, io);
  if (changes && questions !== undefined && !(await questions.confirm('Go on?', true))) {
    io.stdout.write('nothing was changed\n');
    return exitCodes.done;
  }
  const stop = interruption(
    'interrupted; the step that was under way is not finished',
    'the same command again goes on',
  );
  try {
    await prepared.apply(reportTo(io, plan), stop.signal);
    const tookMs = performance.now() - beganMs;
    io.stdout.write(installedPage({ ...prepared, changed: changes, tookMs }, io.stdout));
    return exitCodes.done;
  } finally {
    stop.dispose();
  }
}

/** What of the owner's stays or changes has to be seen, also where nobody was asked. */
function showDetails({ steps }: Plan, io: Io): void {
  for (const { step, look } of steps) {
    if (look.details === undefined || look.details.length === 0) continue;
    if (look.state === 'kept') warn(io, `${step.name}: ${look.words} (--replace-edited takes ours)`);
    for (const line of look.details) io.stderr.write(`  ${step.name}: ${line}\n`);
  }
}

function refuseWhereFailed(findings: readonly CheckResult[]): void {
  const failed = findings.filter(({ state }) => state === 'failed');
  const [first] = failed;
  if (first === undefined) return;
  const lines = failed.map(({ name, words, remedy }) => `  ${name}: ${words}\n    to do: ${remedy ?? ''}`);
  throw new Failure(`this host is not ready, and nothing was changed:\n${lines.join('\n')}`, {
    code: 'preflight-failed',
    exitCode: exitCodes.checkFailed,
    remedy: 'put right what is named above, then run the same command again',
  });
}

function mustMakeSense({ flags, switches }: ParsedArgs): void {
  const front = flags['front'];
  if (front === 'nginx') {
    throw new UsageError(
      '--front nginx is not in this release',
      'leave it out; the appliance answers on ports 80 and 443 itself',
    );
  }
  if (front !== undefined) throw new UsageError(`--front ${front} is not known`, 'leave it out');
  if (switches.has('json') && !switches.has('dry-run'))
    throw new UsageError('--json goes with --dry-run alone', 'add --dry-run, or leave it out');
  if (switches.has('no-containers') && flags['images'] !== undefined)
    throw new UsageError(
      '--images is for containers, and --no-containers does without',
      'leave one of them out',
    );
}

const certificateBlock = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs;

/** Read while it can still be refused, and copied later. */
function anchorOf(file: string | undefined, io: Io): Request['anchor'] {
  if (file === undefined) return undefined;
  const path = resolve(io.workingFolder, file);
  try {
    const blocks = readFileSync(path, 'latin1').match(certificateBlock) ?? [];
    if (blocks.length === 0) throw new Error('it holds no PEM certificate');
    for (const block of blocks) void new X509Certificate(block);
    // each on lines of its own, however they were joined
    return { file: path, pem: blocks.map((block) => `${block}\n`).join('') };
  } catch (error) {
    throw new UsageError(
      `--acme-ca-file ${file} is not right: ${reasonOf(error)}`,
      'name a file with the root certificate of the authority, as PEM',
    );
  }
}

function imagesOf(file: string | undefined, io: Io): string | undefined {
  if (file === undefined) return undefined;
  const path = resolve(io.workingFolder, file);
  try {
    const found = statSync(path);
    if (!found.isFile()) throw new Error('it is not a file');
    if (found.size === 0) throw new Error('it is empty');
    if (!looksLikeArchive(beginningOf(path))) throw new Error('it is no archive of "docker save"');
    return path;
  } catch (error) {
    throw new UsageError(
      `--images ${file} is not right: ${reasonOf(error)}`,
      'name an archive: docker save IMAGE… -o FILE, where the images are',
    );
  }
}

/** As `docker load` takes them: tar(5), by the mark that POSIX gives it, or packed by gzip, bzip2, xz or zstd. */
export function looksLikeArchive(beginning: Buffer): boolean {
  const packed = ['1f8b', '425a68', 'fd377a585a00', '28b52ffd'];
  return (
    beginning.subarray(257, 262).toString('latin1') === 'ustar' ||
    packed.some((mark) => beginning.toString('hex').startsWith(mark))
  );
}

function beginningOf(path: string): Buffer {
  const file = openSync(path, 'r');
  try {
    const block = Buffer.alloc(512);
    return block.subarray(0, readSync(file, block));
  } finally {
    closeSync(file);
  }
}

function mustBeRoot(): void {
  if (process.geteuid?.() === 0) return;
  throw new Failure('only root can install', {
    code: 'needs-root',
    exitCode: exitCodes.usage,
    remedy: 'use sudo',
  });
}
