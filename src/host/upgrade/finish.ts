import { pruneReleases, releaseBinary, type ReleasesPlace } from '../install/releases.ts';
import { runProgram } from '../run-program.ts';

export interface FinishParts {
  readonly place: ReleasesPlace;
  progress(step: string): void;
}

/** What is left to do once the link leads to a release: its own texts of units and the like, and older releases go. */
export async function finish(version: string, { place, progress }: FinishParts): Promise<void> {
  await renewFiles(releaseBinary(place, version), progress);
  for (const old of await pruneReleases(place)) progress(`${old} is gone; the last two stay`);
}

/** By the new release: it has their texts. What it cannot do keeps nobody from serving. */
async function renewFiles(binary: string, progress: FinishParts['progress']): Promise<void> {
  const { exitCode, stdout, stderr } = await runProgram(binary, ['upgrade', 'files'], { timeoutMs: 60_000 });
  const said = exitCode === 0 ? stdout : `the units stay as they were: ${stderr.replace(/^error: /, '')}`;
  for (const line of said.trim().split('\n')) if (line !== '') progress(line);
}
