/**
 * Where an installed host has what its shells and its readers of manuals look for. Places of the host's own, none of the
 * distribution's; fish of Debian and Ubuntu looks below /usr/local only where XDG_DATA_DIRS says so, and always in /etc.
 */
export const shellPlaces = {
  bash: '/usr/local/share/bash-completion/completions/appliance',
  zsh: '/usr/local/share/zsh/site-functions/_appliance',
  fish: '/etc/fish/completions/appliance.fish',
  man: '/usr/local/share/man/man1/appliance.1',
} as const;

/** A program of a shell's own package: where it is there, the folders above the file are that package's. */
export const shellPrograms: Readonly<Record<keyof typeof shellPlaces, string>> = {
  bash: '/usr/share/bash-completion/bash_completion',
  zsh: '/usr/bin/zsh',
  fish: '/usr/bin/fish',
  man: '/usr/bin/man',
};

/** Stands in each of these files, and in no other: who removes them looks for it. */
export const shellFileMark = 'Made by the program "appliance"';
