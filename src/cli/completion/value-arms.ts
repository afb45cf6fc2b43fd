import { quoted } from './quote.js';
import type { Place, Value } from './tree.js';

/** What follows the flags of a place, as arms of a `case` of bash and zsh; flags that nothing follows have none. */
export function valueArms({ path, flags }: Place): string[] {
  return flags.flatMap(({ names, value }) =>
    value.kind === 'none' ? [] : names.map((name) => arm(`${path} ${name}`, wordOf(value))),
  );
}

function arm(pattern: string, word: string): string {
  return `    ${quoted(pattern)}) echo ${quoted(word)} ;;`;
}

function wordOf(value: Value): string {
  return value.kind === 'choice' ? `:${value.words.join(' ')}` : value.kind;
}
