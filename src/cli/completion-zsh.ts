import { configurationFlags, helpTopic, type Offer, type OfferedFlag, type Place } from './command-places.ts';

/** Completion for zsh: as a file \`_appliance\` of its fpath, or read by \`source\` after \`compinit\`. */
export function zshCompletion(places: readonly Place[]): string {
  return `
# Sets what may come after the words $1; fails where nothing does.
_appliance_place() {
  next=() flags=() argument='' choices=() configured=''
  case $1 in
${places.map(placeCase).join('\n')}
    (*) return 1 ;;
  esac
}

# Sets what the flag $2 takes after the words $1; fails where it takes no value.
_appliance_value() {
  case "$1 $2" in
${places.flatMap(({ words, flags }) => flags.flatMap((flag) => valueCases(flag, (name) => `'${words} ${name}'`))).join('\n')}
    (*) [[ -n $configured ]] || return 1
      case $2 in
${configurationFlags
  .flatMap((flag) => valueCases(flag, (name) => name))
  .map((line) => `    ${line}`)
  .join('\n')}
        (*) return 1 ;;
      esac ;;
  esac
}

_appliance() {
  local place='' helping='' flag='' ended='' given='' word argument configured
  local -a next flags choices
  integer i
  _appliance_place ''
  for ((i = 2; i < CURRENT; i++)); do
    word=\${(Q)words[i]}
    if [[ -n $flag ]]; then flag=''; continue; fi
    case $word in
      (--) ended=1; break ;;
      (--*=*) ;;
      (-*) if _appliance_value "$place" "$word"; then flag=$word; fi ;;
      (*)
        if [[ $word == help && -z $place$helping ]]; then helping=1
        elif (( \${\${(@)next%%:*}[(Ie)$word]} )); then
          place="\${place:+$place }$word"
          _appliance_place "$place"
        else given=1
        fi ;;
    esac
  done
  [[ -z $ended ]] || return 1

  if [[ -z $flag && $words[CURRENT] == --*=* ]]; then
    flag=\${words[CURRENT]%%=*}
    compset -P '--*='
  fi
  if [[ -n $flag ]]; then
    argument='' choices=()
    _appliance_value "$place" "$flag"
  elif [[ $PREFIX == -* ]]; then
    [[ -z $helping ]] || return 1
    if [[ -n $configured ]]; then
      flags+=(${configurationFlags.map(({ name, help }) => quoted(`--${name}:${help}`)).join(' ')})
    fi
    _describe 'flag' flags
    return
  elif (( $#next )); then
    if [[ -n $helping && -z $place ]]; then next[-1]='${helpTopic}:all keys of the configuration'; fi
    _describe 'command' next
    return
  elif [[ -n $given || -n $helping ]]; then
    return 1
  elif [[ -z $argument ]]; then
    _describe 'flag' flags
    return
  fi
  case $argument in
    (words) compadd -a choices ;;
    (file) _files ;;
    (folder) _files -/ ;;
    (*) return 1 ;;
  esac
}

if [[ $funcstack[1] == _appliance ]]; then _appliance "$@"; else compdef _appliance appliance; fi
`.trimStart();
}

function placeCase({ words, next, flags, takesConfiguration, argument }: Place): string {
  const set = [
    next.length > 0 && `next=(${next.map(({ word, summary }) => quoted(`${word}:${summary}`)).join(' ')})`,
    `flags=(${flags.map(({ name, help }) => quoted(`--${name}:${help}`)).join(' ')})`,
    ...settings(argument),
    takesConfiguration && 'configured=1',
  ];
  return `    ('${words}') ${set.filter(Boolean).join(' ')} ;;`;
}

function valueCases({ name, short, value }: OfferedFlag, pattern: (written: string) => string): string[] {
  if (value === undefined) return [];
  const written = [`--${name}`, ...(short === undefined ? [] : [`-${short}`])].map(pattern);
  return [`    (${written.join('|')}) ${settings(value).join(' ') || ':'} ;;`];
}

function settings(offer: Offer): string[] {
  if (offer === 'nothing') return [];
  return typeof offer === 'string'
    ? [`argument=${offer}`]
    : ['argument=words', `choices=(${offer.join(' ')})`];
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
