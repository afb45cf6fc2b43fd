/** A statement that has lost one of its fences, and the tests that must not let it pass. */
export type Mutant = {
  /** The name of the statement. */
  statement: string;
  /** What goes wrong with it, as a claim about the mutant. */
  fault: string;
  /** The text that is replaced: it stands in the statement once, whatever its line breaks and indents. */
  from: string;
  to: string;
  /** Spec files, each of which must fail with it. */
  caughtBy: readonly string[];
};

export type Change = readonly [fault: string, from: string, to: string];

/** The mutants of one statement, all caught by the same files. */
export function mutantsOf(
  statement: string,
  caughtBy: string | readonly string[],
  changes: readonly Change[],
): Mutant[] {
  const specs = typeof caughtBy === 'string' ? [caughtBy] : caughtBy;
  return changes.map(([fault, from, to]) => ({ statement, fault, from, to, caughtBy: specs }));
}

/** What may become of a lock that waits for nobody: it waits, or nothing is held any more. */
export function passingOver(lock: string): Change[] {
  return [
    ['waits for a row that somebody is at', lock, lock.replace(' skip locked', '')],
    ['does not hold what it takes', lock, ''],
  ];
}

/** A mutant whose text is not to be found, or not once: the statement was changed, and the mutant must follow. */
export class MutantDoesNotFit extends Error {}

/**
 * The text of the statement with the fault in it.
 *
 * @throws MutantDoesNotFit
 */
export function planted({ statement, fault, from, to }: Mutant, text: string): string {
  const words = from.trim().split(/\s+/).map(escaped);
  const found = [...text.matchAll(new RegExp(words.join('\\s+'), 'g'))];
  const [only] = found;
  if (only === undefined || found.length > 1) {
    throw new MutantDoesNotFit(
      `${statement}, ${fault}: its text stands there ${found.length} times: ${from}`,
    );
  }
  return text.slice(0, only.index) + to + text.slice(only.index + only[0].length);
}

function escaped(word: string): string {
  return word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
