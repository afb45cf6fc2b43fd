/**
 * Completion for bash, from 3.2 on, which is what macOS has: no associative arrays, no `mapfile`, and nothing of the
 * package bash-completion.
 */
import { quoted } from './quote.js';
import type { Place } from './tree.js';
import { valueArms } from './value-arms.js';

/** A script that offers, at each place, its commands, flags and known words, and files where a flag names one. */
export function bashCompletion(places: readonly Place[]): string {
  return `# Completion of fairlead for bash.

_fairlead_words() {
  case "$1" in
${places.map((place) => `    ${quoted(place.path)}) echo ${quoted(wordsOf(place).join(' '))} ;;`).join('\n')}
  esac
}

# What follows a flag at a place: "file", "folder", "text", or the words to choose from after a colon.
_fairlead_value() {
  case "$1 $2" in
${places.flatMap(valueArms).join('\n')}
  esac
}

_fairlead() {
  local current="\${COMP_WORDS[COMP_CWORD]}" place='' awaited='' word value index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index += 1)); do
    word="\${COMP_WORDS[index]}"
    # bash makes a word of its own of the = in --flag=value.
    if [ "$word" = '=' ]; then continue; fi
    if [ -n "$awaited" ]; then awaited=''; continue; fi
    case "$word" in
      --) return ;;
      -*) awaited="$(_fairlead_value "$place" "$word")" ;;
      *) if [ -n "$(_fairlead_words "\${place:+$place }$word")" ]; then place="\${place:+$place }$word"; fi ;;
    esac
  done
  if [ "$current" = '=' ]; then current=''; fi
  value="$awaited"
  case "$value" in
    file) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$current")) ;;
    folder) compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$current")) ;;
    text) ;;
    :*) COMPREPLY=($(compgen -W "\${value#:}" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$(_fairlead_words "$place")" -- "$current")) ;;
  esac
}

complete -F _fairlead fairlead
`;
}

function wordsOf({ commands, words, flags }: Place): string[] {
  return [...commands.map(({ name }) => name), ...words, ...flags.flatMap(({ names }) => names)];
}
