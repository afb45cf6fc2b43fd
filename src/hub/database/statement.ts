/** One SQL statement with a name that is unique in the product; the name is also that of the prepared statement. */
export type Statement = { readonly name: string; readonly text: string };

const KNOWN = new Map<string, Statement>();

/**
 * Declares a statement. Nothing is ever spliced into its text: values travel as parameters.
 *
 * @throws Error for a name that another statement has
 */
export function statement(name: string, text: string): Statement {
  if (KNOWN.has(name)) throw new Error(`two statements are named ${name}`);
  const made = Object.freeze({ name, text: dedent(text) });
  KNOWN.set(name, made);
  return made;
}

/** Every statement declared by the modules loaded so far, for the committed copies that a gate compares. */
export function knownStatements(): Statement[] {
  return [...KNOWN.values()];
}

function dedent(text: string): string {
  // What a text is put together of may leave a line empty.
  const lines = text
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');
  const indent = Math.min(...lines.map((line) => line.length - line.trimStart().length));
  return lines.map((line) => line.slice(indent)).join('\n');
}
