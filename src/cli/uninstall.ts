import type { UninstallPlan, UninstallReport, UninstallStep } from '../host/install/uninstall.ts';
import { loadConfig } from '../config/load.ts';
import { exitCodes, Failure, UsageError } from '../core/errors.ts';
import { printable } from '../core/printable.ts';
import { bold, yellow } from './colour.ts';
import type { Command, Io, ParsedArgs } from './command.ts';
import { planLines, wrapped } from './plan-lines.ts';
import { questionsOn } from './questions.ts';

interface Request {
  readonly purge: boolean;
  readonly dataFolder: string;
}

export interface Uninstaller {
  plan(request: Request): Promise<UninstallPlan>;
  apply(request: Request, progress: (step: UninstallStep) => void): Promise<UninstallReport>;
}

/** What a person types to have everything deleted. */
const word = 'purge';

/** `input` is what a person answers on. */
export function uninstallCommand(
  uninstaller: Uninstaller,
  input: () => NodeJS.ReadableStream & { readonly isTTY?: boolean } = () => process.stdin,
): Command {
  return {
    name: 'uninstall',
    summary: 'take off this host what "install" put there',
    usage: 'uninstall [--purge] [--yes | --dry-run [--json]]',
    examples: [
      { command: 'sudo appliance uninstall --dry-run', does: 'show what would go, and what stays' },
      { command: 'sudo appliance uninstall', does: 'all but data, secrets and the user that owns them' },
      { command: 'sudo appliance uninstall --purge', does: 'all of it; there is no way back' },
    ],
    options: {
      purge: { help: 'delete data, secrets, volumes and the user as well' },
      yes: { help: 'do not ask' },
      'dry-run': { help: 'show what would be done, and do nothing' },
      json: { help: 'with --dry-run: print JSON for scripts' },
    },
    async run(args, io) {
      const dryRun = args.switches.has('dry-run');
      const json = args.switches.has('json');
      if (json && !dryRun)
        throw new UsageError('--json goes with --dry-run alone', 'add --dry-run, or leave it out');
      const request: Request = { purge: args.switches.has('purge'), dataFolder: dataFolderOf(io) };
      const plan = await uninstaller.plan(request);
      io.stdout.write(json ? planJson(plan) : planText(plan, io));
      if (dryRun) return exitCodes.done;
      if (plan.steps.length > 0) await expectConsent(args, io, input);
      const report = await uninstaller.apply(request, ({ name }) => void io.stderr.write(`${name}\n`));
      for (const line of report.left) io.stderr.write(`${yellow('stays:', io.stderr)} ${printable(line)}\n`);
      if (report.failed.length > 0 || plan.unknown.length > 0) throw incomplete(report, plan);
      if (plan.steps.length > 0) io.stdout.write('the appliance is uninstalled\n');
      return exitCodes.done;
    },
  };
}

/** Wherever the rest of the configuration is wrong: uninstalling is a way out of that too. */
function dataFolderOf({ environment, workingFolder }: Io): string {
  const { values } = loadConfig({ flags: {}, environment, workingFolder });
  const found = values.find(({ field }) => field === 'dataDir')?.value;
  return typeof found === 'string' ? found : '/var/lib/appliance';
}

function planText({ steps, stays, unknown }: UninstallPlan, { stdout }: Io): string {
  const lines =
    steps.length === 0
      ? [unknown.length === 0 ? 'nothing is left to remove' : 'nothing else is left to remove']
      : [bold('It will', stdout), ...planLines(steps, stdout)];
  if (stays.length > 0)
    lines.push(
      bold('What stays', stdout),
      ...stays.flatMap((line) => wrapped('  ', printable(line), stdout)),
    );
  lines.push(...unknown.map((line) => `${yellow('unknown:', stdout)} ${printable(line)}`));
  return `${lines.join('\n')}\n`;
}

function planJson({ steps, stays, unknown }: UninstallPlan): string {
  const shown = steps.map(({ name, does }) => ({ name, does }));
  return `${JSON.stringify({ schema: 1, steps: shown, stays, unknown }, undefined, 2)}\n`;
}

async function expectConsent(
  { switches }: ParsedArgs,
  { stderr }: Io,
  input: () => NodeJS.ReadableStream & { readonly isTTY?: boolean },
): Promise<void> {
  if (switches.has('yes')) return;
  const purge = switches.has('purge');
  const from = input();
  if (from.isTTY !== true)
    throw new UsageError(
      'nobody is there to be asked',
      purge ? 'add --yes to delete everything without asking' : 'add --yes to uninstall without asking',
    );
  const questions = questionsOn(from, stderr);
  try {
    if (purge)
      stderr.write('All data and secrets will be gone, backups on this host too; there is no way back.\n');
    const agreed = await (purge
      ? questions.ask(`Type "${word}" to go on:`, (answer) => ({ value: answer === word }))
      : questions.confirm('Go on?', false));
    if (agreed) return;
  } finally {
    questions.close();
  }
  throw new Failure('nothing was removed', { code: 'declined', exitCode: exitCodes.usage });
}

function incomplete({ failed }: UninstallReport, { unknown }: UninstallPlan): Failure {
  const remedies = failed.flatMap(({ error }) =>
    error instanceof Failure && error.remedy ? [error.remedy] : [],
  );
  const why = failed.map(({ step, reason, error }) => {
    const cause = error instanceof Failure && error.cause instanceof Error ? ` (${error.cause.message})` : '';
    return `${step}: ${reason}${cause}`;
  });
  return new Failure('not all is uninstalled', {
    code: 'uninstall-incomplete',
    retryable: true,
    remedy: [...new Set(remedies), ...(remedies.length === 0 ? ['mend that, then run this again'] : [])].join(
      '; ',
    ),
    cause: new Error(printable([...why, ...unknown].join('; '))),
  });
}
