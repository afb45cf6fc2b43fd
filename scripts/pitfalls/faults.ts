import type { Chapter, Pitfall } from './pitfall.js';
import { titlesIn } from './titles.js';

/**
 * What is wrong with the list: numbers that are missing or given twice, faults that no test holds out, and titles that
 * no test has.
 *
 * @param read the text of a file, undefined where it is not there
 */
export function faultsOfPitfalls(
  chapters: readonly Chapter[],
  read: (file: string) => string | undefined,
): string[] {
  const pitfalls = chapters.flatMap((chapter) => chapter.pitfalls);
  const misnumbered = pitfalls.flatMap(({ number }, index) =>
    number === index + 1 ? [] : [`number ${number} stands in the place of ${index + 1}`],
  );
  const known = new Map<string, ReadonlySet<string> | undefined>();
  const titles = (file: string) => {
    if (!known.has(file)) {
      const text = read(file);
      known.set(file, text === undefined ? undefined : new Set(titlesIn(file, text)));
    }
    return known.get(file);
  };
  return [...misnumbered, ...pitfalls.flatMap((pitfall) => faultsOf(pitfall, titles))];
}

function faultsOf(
  { number, tests }: Pitfall,
  titles: (file: string) => ReadonlySet<string> | undefined,
): string[] {
  if (tests.length === 0) return [`number ${number} is held out by no test`];
  return tests.flatMap(({ file, title }) => {
    const found = titles(file);
    if (found === undefined) return [`number ${number}: there is no ${file}`];
    return found.has(title) ? [] : [`number ${number}: no test of ${file} is called: ${title}`];
  });
}
