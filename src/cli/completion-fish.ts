import { configurationFlags, helpTopic, type Offer, type OfferedFlag, type Place } from './command-places.ts';

/** Completion for fish from 3.1 on. */
export function fishCompletion(places: readonly Place[]): string {
  const valued = places.flatMap(({ words, flags }) =>
    flags
      .filter(({ value }) => value !== undefined)
      .flatMap(({ name, short }) => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])])
      .map((written) => quoted(`${words} ${written}`)),
  );
  return `
set -g __appliance_places ${places.map(({ words }) => quoted(words)).join(' ')}
set -g __appliance_configured ${places.flatMap(({ words, takesConfiguration }) => (takesConfiguration ? [quoted(words)] : [])).join(' ')}
set -g __appliance_configuration ${configurationFlags.map(({ name }) => `--${name}`).join(' ')}
set -g __appliance_valued ${valued.join(' ')}

# The words of the command before the cursor, "help" before those that it was asked about, and "--" where nothing of ours follows.
function __appliance_place
    set -l place ''
    set -l help ''
    set -l value ''
    for word in (commandline -opc)[2..-1]
        if test -n "$value"
            set value ''
        else if test "$word" = --
            printf '%s\\n' --
            return
        else if string match -q -- '-*' $word
            if contains -- "$place $word" $__appliance_valued
                set value 1
            else if contains -- $place $__appliance_configured; and contains -- $word $__appliance_configuration
                set value 1
            end
        else if test "$word" = help -a -z "$place$help"
            set help 'help '
        else if contains -- (string trim -- "$place $word") $__appliance_places
            set place (string trim -- "$place $word")
        end
    end
    echo -- "$help$place"
end

function __appliance_at
    contains -- (__appliance_place) $argv
end

function __appliance_takes_configuration
    contains -- (__appliance_place) $__appliance_configured
end

complete -c appliance -f
complete -c appliance -n '__appliance_at "help "' -a ${helpTopic} -d 'all keys of the configuration'
${places.flatMap(placeLines).join('\n')}
${configurationFlags.map((flag) => flagLine('__appliance_takes_configuration', flag)).join('\n')}
`.trimStart();
}

function placeLines({ words, next, flags, argument }: Place): string[] {
  const here = `__appliance_at ${quoted(words)}`;
  // "help " with nothing behind it yet
  const helpToo = `${here} ${quoted(`help ${words}`)}`;
  return [
    ...next.map(
      ({ word, summary }) =>
        `complete -c appliance -n ${quoted(word === 'help' ? here : helpToo)} -a ${quoted(word)} -d ${quoted(summary)}`,
    ),
    ...flags.map((flag) => flagLine(here, flag)),
    ...(argument === 'nothing' ? [] : [`complete -c appliance -n ${quoted(here)} ${offerWords(argument)}`]),
  ];
}

function flagLine(condition: string, { name, short, help, value }: OfferedFlag): string {
  const parts = [
    `complete -c appliance -n ${quoted(condition)} -l ${name}`,
    short !== undefined && `-s ${short}`,
    value !== undefined && `-r ${offerWords(value)}`,
    `-d ${quoted(help)}`,
  ];
  return parts.filter(Boolean).join(' ');
}

function offerWords(offer: Offer): string {
  if (offer === 'nothing') return '-f';
  if (offer === 'file') return '-F';
  if (offer === 'folder') return `-f -a ${quoted('(__fish_complete_directories (commandline -ct))')}`;
  return `-f -a ${quoted(offer.join(' '))}`;
}

/** As fish has it: within single quotes, a backslash stands before a quote and before itself. */
function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`;
}
