export const projects = ['unit', 'integration', 'host'] as const;
export type Project = (typeof projects)[number];

export interface Selection {
  /** Whether `npm run check` is part of it. */
  readonly check: boolean;
  readonly projects: readonly Project[];
  /** Parts of file names; a suite runs that contains one, or any where there are none. */
  readonly files: readonly string[];
  /** What vitest is given as it is: flags and their values. */
  readonly flags: readonly string[];
}

/** Flags of vitest whose value is the next argument. */
const withValue = new Set(['-t', '--testNamePattern', '--testTimeout', '--retry', '--bail']);

/**
 * Reads the arguments of `npm test --`: names of projects and `check`, parts of file names, flags of vitest.
 * Without any, the check and every project but `host`, which takes minutes and has `npm run test:long`.
 */
export function select(args: readonly string[]): Selection {
  const named: Project[] = [];
  const files: string[] = [];
  const flags: string[] = [];
  let check = false;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    const project = projects.find((name) => name === arg);
    if (arg === 'check') check = true;
    else if (project !== undefined) named.push(project);
    else if (!arg.startsWith('-')) files.push(arg);
    else flags.push(arg, ...(withValue.has(arg) ? args.slice(++i, i + 1) : []));
  }
  if (args.length === 0) check = true;
  const onlyCheck = check && args.length === 1;
  const unnamed = files.length > 0 ? projects : onlyCheck ? [] : (['unit', 'integration'] as const);
  return { check, projects: named.length > 0 ? named : unnamed, files, flags };
}

/** The suites, as paths from the root, that a selection runs. */
export function suitesOf(selection: Selection, suites: readonly string[]): readonly string[] {
  const folders = selection.projects.flatMap((name) =>
    name === 'unit' ? ['test/unit/', 'test/contract/'] : [`test/${name}/`],
  );
  return suites.filter(
    (suite) =>
      folders.some((folder) => suite.startsWith(folder)) &&
      (selection.files.length === 0 || selection.files.some((part) => suite.includes(part))),
  );
}
