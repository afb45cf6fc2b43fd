const CAUGHT = new Set(['Killed', 'Timeout', 'RuntimeError']);
const SURVIVED = new Set(['Survived', 'NoCoverage']);
const SHOWN = 90;

/**
 * What survived, each with the reason of the first entry that fits it, if any.
 *
 * @param reasons entries of a file, a pattern that the original text or the line matches, and why that may survive
 */
export function survivorsIn({ files }, reasons) {
  return Object.entries(files).flatMap(([file, { source, mutants }]) => {
    const lines = source.split('\n');
    return mutants
      .filter(({ status }) => SURVIVED.has(status))
      .map(({ location, replacement, mutatorName }) => {
        const survivor = {
          file,
          line: location.start.line,
          text: (lines[location.start.line - 1] ?? '').trim(),
          original: flat(textAt(lines, location)),
          replacement: flat(replacement ?? mutatorName),
          mutator: mutatorName,
        };
        return { ...survivor, reason: reasons.find((entry) => fits(entry, survivor))?.reason };
      });
  });
}

function fits({ file, line, to }, survivor) {
  return (
    survivor.file === file && line.test(survivor.text) && (to === undefined || to.test(survivor.replacement))
  );
}

/** docs/mutation.md */
export function mutationPage({ files }, survivors) {
  const rows = Object.entries(files).map(([file, { mutants }]) => {
    const caught = mutants.filter(({ status }) => CAUGHT.has(status)).length;
    const survived = mutants.filter(({ status }) => SURVIVED.has(status)).length;
    return { file, caught, survived };
  });
  const all = rows.reduce(
    (sum, { caught, survived }) => ({ caught: sum.caught + caught, survived: sum.survived + survived }),
    { caught: 0, survived: 0 },
  );
  const score = ({ caught, survived }) => ((100 * caught) / Math.max(1, caught + survived)).toFixed(1);
  return [
    '# Mutation testing',
    '',
    '`npm run test:mutation` changes what decides without a database or a socket in small ways, one at a time, and runs the',
    'specs beside it. A change that no spec notices survives. At least 80 of 100 must be caught, and each survivor must have a',
    'reason in `test/mutation/reasons.mjs`. The task writes this page. Statements have mutants of their own: `npm run test:fences`.',
    '',
    `Caught: ${all.caught} of ${all.caught + all.survived}, which is ${score(all)} %.`,
    '',
    '| file | changes | caught | % |',
    '| --- | --- | --- | --- |',
    ...rows.map(
      (row) => `| \`${row.file}\` | ${row.caught + row.survived} | ${row.caught} | ${score(row)} |`,
    ),
    '',
    '## Survivors',
    '',
    ...grouped(survivors).flatMap(([heading, items]) => [
      `- ${heading}`,
      ...items.map(({ original, replacement }) => `  - ${code(original)} as ${code(replacement)}`),
    ]),
    '',
  ].join('\n');
}

function grouped(survivors) {
  const groups = new Map();
  for (const survivor of survivors) {
    const heading = `\`${survivor.file}\`: ${survivor.reason}`;
    groups.set(heading, [...(groups.get(heading) ?? []), survivor]);
  }
  return [...groups];
}

function code(text) {
  const shown = text.length > SHOWN ? `${text.slice(0, SHOWN)}...` : text;
  const fence = shown.includes('`') ? '``' : '`';
  const pad = fence === '``' ? ' ' : '';
  return `${fence}${pad}${shown}${pad}${fence}`;
}

function textAt(lines, { start, end }) {
  if (start.line === end.line) return (lines[start.line - 1] ?? '').slice(start.column - 1, end.column - 1);
  return [
    (lines[start.line - 1] ?? '').slice(start.column - 1),
    ...lines.slice(start.line, end.line - 1),
    (lines[end.line - 1] ?? '').slice(0, end.column - 1),
  ].join('\n');
}

function flat(text) {
  return text.replace(/\s+/g, ' ').trim();
}
