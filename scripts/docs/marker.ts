/**
 * What a document says, invisibly, about the block of commands that follows: one or more comments of the form
 * `<!-- docs: ... -->`, each on a line of its own directly before the block.
 *
 *     stays                       goes on running while the rest of the document is run
 *     stays until "<text>"        the same; what follows waits until its output holds the text
 *     shows "<text>"              its output must hold the text
 *     fill <name> from "<regex>"  what stands as <name> in the block is taken from the output so far: the first group
 *                                 of the last match. A word such as flp_... needs no comment: the last word of the
 *                                 output that begins so is meant.
 *     ci runs it                  not run here; each of its commands must be one of a step of .ci/run
 *     run by <file>               not run here, but by that file, see `carried.ts`
 *     skip because <reason>       not run at all; counted and printed with the reason
 */
export type Marker =
  | { kind: 'stays'; until: string }
  | { kind: 'shows'; text: string }
  | { kind: 'fill'; name: string; from: RegExp }
  | { kind: 'ci' }
  | { kind: 'elsewhere'; file: string }
  | { kind: 'skip'; reason: string };

const FORMS: [form: RegExp, read: (first: string, second: string) => Marker | undefined][] = [
  [/^stays(?: until "([^"]+)")?$/, (until) => ({ kind: 'stays', until })],
  [/^shows "([^"]+)"$/, (text) => ({ kind: 'shows', text })],
  [/^fill (<[a-z][a-z-]*>) from "([^"]+)"$/, (name, regex) => fill(name, regex)],
  [/^ci runs it$/, () => ({ kind: 'ci' })],
  [/^run by (\S+)$/, (file) => ({ kind: 'elsewhere', file })],
  [/^skip because (\S.*)$/, (reason) => ({ kind: 'skip', reason })],
];

/** What stands behind `docs:` in a comment of one line; undefined for a line that is none. */
export function saidIn(line: string): string | undefined {
  const match = /^\s*<!--\s*docs:(.*)$/.exec(line);
  return match?.[1]?.replace(/-->\s*$/, '').trim();
}

/** undefined where it is not one of the forms above */
export function readMarker(said: string): Marker | undefined {
  for (const [form, read] of FORMS) {
    const match = form.exec(said);
    if (match !== null) return read(match[1] ?? '', match[2] ?? '');
  }
  return undefined;
}

function fill(name: string, regex: string): Marker | undefined {
  try {
    return { kind: 'fill', name, from: new RegExp(regex, 'g') };
  } catch {
    return undefined;
  }
}
