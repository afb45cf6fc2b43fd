/** Completion for zsh: by `compdef` where the script is sourced, by its first line where it lies in a folder of `fpath`. */
import { quoted } from './quote.js';
import type { Place } from './tree.js';
import { valueArms } from './value-arms.js';

/** A script that offers commands and flags with what they are for, and files where a flag names one. */
export function zshCompletion(places: readonly Place[]): string {
  return `#compdef fairlead
# Completion of fairlead for zsh.

_fairlead_entries() {
  case "$1" in
${places.map((place) => `    ${quoted(place.path)}) entries=(${entriesOf(place).map(quoted).join(' ')}) ;;`).join('\n')}
    *) return 1 ;;
  esac
}

# What follows a flag at a place: "file", "folder", "text", or the words to choose from after a colon.
_fairlead_value() {
  case "$1 $2" in
${places.flatMap(valueArms).join('\n')}
  esac
}

_fairlead() {
  local place='' awaited='' word index
  local -a entries
  for ((index = 2; index < CURRENT; index += 1)); do
    word="\${words[index]}"
    if [[ -n "$awaited" ]]; then awaited=''; continue; fi
    case "$word" in
      --) return ;;
      --*=*) ;;
      -*) awaited="$(_fairlead_value "$place" "$word")" ;;
      *) if _fairlead_entries "\${place:+$place }$word"; then place="\${place:+$place }$word"; fi ;;
    esac
  done
  case "$awaited" in
    file) _files ;;
    folder) _files -/ ;;
    text) _message 'a value' ;;
    :*) compadd -- \${(s: :)awaited#:} ;;
    *) _fairlead_entries "$place" && _describe 'fairlead' entries ;;
  esac
}

if [ "$funcstack[1]" = '_fairlead' ]; then
  _fairlead "$@"
else
  compdef _fairlead fairlead
fi
`;
}

/** A colon ends the word that is described, so one inside it is escaped. */
function entriesOf({ commands, words, flags }: Place): string[] {
  const described = [
    ...commands.map(({ name, description }): [string, string] => [name, description]),
    ...words.map((word): [string, string] => [word, '']),
    ...flags.flatMap(({ names, description }) => names.map((name): [string, string] => [name, description])),
  ];
  return described.map(([word, description]) => {
    const name = word.replaceAll(':', '\\:');
    return description === '' ? name : `${name}:${description}`;
  });
}
