import { colourOf, type Paint } from './colour.js';
import { printable } from './printable.js';

export type Column<R> = {
  title: string;
  of: (row: R) => string | number | null | undefined;
  /** The cell holds a state, which has a colour. */
  isState?: boolean;
};

const GAP = '  ';
const NOTHING = '-';

/** One line for each row under a line of titles; columns as wide as their widest cell, nothing ever cut. */
export function table<R>(rows: readonly R[], columns: readonly Column<R>[], paint: Paint): string[] {
  const cells = rows.map((row) => columns.map(({ of }) => cellText(of(row))));
  const widths = columns.map(({ title }, at) =>
    Math.max(title.length, ...cells.map((line) => widthOf(line[at]))),
  );
  const padded = (line: readonly string[], painted: (text: string, at: number) => string): string =>
    line
      .map((text, at) => {
        const isLast = at === columns.length - 1;
        // Painted after measuring: the sequences of a colour have no width on the terminal.
        return painted(text, at) + (isLast ? '' : ' '.repeat(Math.max(0, (widths[at] ?? 0) - text.length)));
      })
      .join(GAP);
  const titles = columns.map(({ title }) => title);
  return [
    padded(titles, (text) => paint('dim', text)),
    ...cells.map((line) =>
      padded(line, (text, at) => (columns[at]?.isState === true ? paint(colourOf(text), text) : text)),
    ),
  ];
}

/** One line for each fact of a single thing, names before values; what is undefined is left out. */
export function facts(
  entries: readonly (readonly [name: string, value: string | number | null | undefined])[],
  paint: Paint,
): string[] {
  const shown = entries.filter(([, value]) => value !== undefined);
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${paint('dim', name.padEnd(width))}${GAP}${cellText(value)}`);
}

/** Labels as they are written on the command line. */
export function pairs(map: Record<string, string>): string {
  return Object.entries(map)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
}

function cellText(value: string | number | null | undefined): string {
  const text = value === null || value === undefined ? '' : String(value);
  return text === '' ? NOTHING : printable(text);
}

function widthOf(text: string | undefined): number {
  return text?.length ?? 0;
}
