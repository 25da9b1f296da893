import { configurationFlags, helpTopic, type Offer, type OfferedFlag, type Place } from './command-places.ts';

/**
 * Completion for bash from 4.4 on, with or without the package bash-completion. File names are left to bash itself, which
 * knows how they are quoted.
 */
export function bashCompletion(places: readonly Place[]): string {
  return `
# Sets what may come after the words $1; fails where nothing does.
_appliance_place() {
  next='' flags='' argument='' choices='' configured=''
  case $1 in
${places.map(placeCase).join('\n')}
    *) return 1 ;;
  esac
}

# Sets what the flag $2 takes after the words $1; fails where it takes no value.
_appliance_value() {
  case "$1 $2" in
${places.flatMap(({ words, flags }) => flags.flatMap((flag) => valueCases(flag, (name) => `'${words} ${name}'`))).join('\n')}
    *) [[ -n $configured ]] || return 1
      case $2 in
${configurationFlags
  .flatMap((flag) => valueCases(flag, (name) => name))
  .map((line) => `    ${line}`)
  .join('\n')}
        *) return 1 ;;
      esac ;;
  esac
}

_appliance() {
  local cur=\${COMP_WORDS[COMP_CWORD]} place='' helping='' flag='' ended='' given='' word prefix='' i
  local next flags argument choices configured
  COMPREPLY=()
  _appliance_place ''
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    [[ -z $ended ]] || continue
    if [[ -n $flag ]]; then
      # bash has three words where --flag=value is written
      [[ $word == = ]] || flag=''
      continue
    fi
    case $word in
      --) ended=1 ;;
      --*=*) ;;
      -*) if _appliance_value "$place" "$word"; then flag=$word; fi ;;
      *)
        if [[ $word == help && -z $place$helping ]]; then helping=1
        elif [[ " $next " == *" $word "* ]]; then
          place="\${place:+$place }$word"
          _appliance_place "$place"
        else given=1
        fi ;;
    esac
  done
  [[ -z $ended ]] || return 0

  if [[ -n $flag ]]; then
    [[ $cur != = ]] || cur=''
  elif [[ $cur == --*=* ]]; then
    flag=\${cur%%=*} prefix="\${cur%%=*}=" cur=\${cur#*=}
  fi
  if [[ -n $flag ]]; then
    argument='' choices=''
    _appliance_value "$place" "$flag"
  elif [[ $cur == -* ]]; then
    argument=words choices=$flags
    if [[ -n $configured ]]; then choices+=" ${configurationFlags.map(({ name }) => `--${name}`).join(' ')}"; fi
    [[ -z $helping ]] || choices=''
  elif [[ -n $helping ]]; then
    argument=words choices=$next
    [[ -n $place ]] || choices="\${next/%help/${helpTopic}}"
  elif [[ -n $next ]]; then
    argument=words choices=$next
  elif [[ -n $given ]]; then
    argument=''
  elif [[ -z $argument && -z $cur ]]; then
    argument=words choices=$flags
  fi
  case $argument in
    words) mapfile -t COMPREPLY < <(compgen -P "$prefix" -W "$choices" -- "$cur") ;;
    file) compopt -o default 2>/dev/null ;;
    folder) compopt -o dirnames 2>/dev/null ;;
  esac
  return 0
}
complete -F _appliance appliance
`.trimStart();
}

function placeCase({ words, next, flags, takesConfiguration, argument }: Place): string {
  const set = [
    next.length > 0 && `next='${next.map(({ word }) => word).join(' ')}'`,
    `flags='${flags.map(({ name }) => `--${name}`).join(' ')}'`,
    ...settings(argument),
    takesConfiguration && 'configured=1',
  ];
  return `    '${words}') ${set.filter(Boolean).join(' ')} ;;`;
}

function valueCases({ name, short, value }: OfferedFlag, pattern: (written: string) => string): string[] {
  if (value === undefined) return [];
  const written = [`--${name}`, ...(short === undefined ? [] : [`-${short}`])].map(pattern);
  return [`    ${written.join(' | ')}) ${settings(value).join(' ') || ':'} ;;`];
}

function settings(offer: Offer): string[] {
  if (offer === 'nothing') return [];
  return typeof offer === 'string'
    ? [`argument=${offer}`]
    : ['argument=words', `choices='${offer.join(' ')}'`];
}
