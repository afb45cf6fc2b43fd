import type { Chapter, Pitfall } from './pitfall.js';

/** docs/pitfalls.md: the list for readers. */
export function pitfallsPage(chapters: readonly Chapter[]): string {
  return [
    '# Faults that were seen elsewhere',
    '',
    'Systems that do what this one does have had these faults. Each is held out by the tests named with it, whose titles say',
    'so. This page is made from `scripts/pitfalls`, and a gate finds each title among the tests.',
    ...chapters.flatMap(({ title, pitfalls }) => ['', `## ${title}`, '', ...pitfalls.flatMap(entry)]),
    '',
  ].join('\n');
}

function entry({ number, fault, tests }: Pitfall): string[] {
  const indent = ' '.repeat(`${number}. `.length);
  return [`${number}. ${fault}`, ...tests.map(({ file, title }) => `${indent}- \`${file}\`: ${title}`)];
}
