import { shellPlaces } from '../core/shell-places.ts';
import type { Command } from './command.ts';
import { completionOf } from './completion.ts';
import { manPage } from './man-page.ts';

export interface ShellFile {
  /** Absolute. Root's, readable by all (0644); the folders above it may be missing. */
  readonly path: string;
  readonly text: string;
}

/** What an installed host gets for its shells and for `man`. */
export function shellFiles(commands: readonly Command[]): readonly ShellFile[] {
  return [
    { path: shellPlaces.bash, text: completionOf('bash', commands) },
    { path: shellPlaces.zsh, text: completionOf('zsh', commands) },
    { path: shellPlaces.fish, text: completionOf('fish', commands) },
    { path: shellPlaces.man, text: manPage(commands) },
  ];
}
