/** Completion for fish, which keeps one line for each word and asks a condition where it may stand. */
import { fishQuoted } from './quote.js';
import type { Flag, Place } from './tree.js';

/** A script that offers commands and flags with what they are for, and files where a flag names one. */
export function fishCompletion(places: readonly Place[]): string {
  return `# Completion of fairlead for fish.

# Whether the words so far, without flags and what follows them, lead to this place.
function __fairlead_at
    set -l place
    set -l awaited no
    set -l tokens (commandline -opc)
    for word in $tokens[2..-1]
        if test $awaited = yes
            set awaited no
            continue
        end
        switch $word
            case --
                return 1
            case '--*=*'
            case ${takersOf(places).map(fishQuoted).join(' ')}
                set awaited yes
            case '-*'
            case '*'
                set -l next $place $word
                if contains -- "$next" ${paths(places)}
                    set place $next
                end
        end
    end
    test "$place" = "$argv[1]"
end

complete -c fairlead -f
${places.flatMap(linesOf).join('\n')}
`;
}

function paths(places: readonly Place[]): string {
  return places
    .filter(({ path }) => path !== '')
    .map(({ path }) => fishQuoted(path))
    .join(' ');
}

/** The flags that need a word after them; a flag means the same wherever it stands. */
function takersOf(places: readonly Place[]): string[] {
  const takers = places.flatMap(({ flags }) =>
    flags.filter(({ value }) => value.kind !== 'none').flatMap(({ names }) => names),
  );
  return [...new Set(takers)].sort();
}

function linesOf({ path, commands, words, flags }: Place): string[] {
  const start = `complete -c fairlead -n ${fishQuoted(`__fairlead_at ${fishQuoted(path)}`)}`;
  return [
    ...commands.map(({ name, description }) => `${start} -a ${name} -d ${fishQuoted(description)}`),
    ...words.map((word) => `${start} -a ${word}`),
    ...flags.map((flag) => `${start}${flagArguments(flag)} -d ${fishQuoted(flag.description)}`),
  ];
}

function flagArguments({ names, value }: Flag): string {
  const written = names.map((name) =>
    name.startsWith('--') ? ` -l ${name.slice(2)}` : ` -s ${name.slice(1)}`,
  );
  return `${written.join('')}${valueArguments(value)}`;
}

function valueArguments(value: Flag['value']): string {
  switch (value.kind) {
    case 'none':
      return '';
    case 'text':
      return ' -x';
    case 'file':
      return ' -r -F';
    case 'folder':
      return " -x -a '(__fish_complete_directories)'";
    case 'choice':
      return ` -x -a ${fishQuoted(value.words.join(' '))}`;
  }
}
