/** A table with straight columns, as the project's formatter leaves it alone. */
export function markdownTable(
  titles: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const cells = [titles, ...rows].map((row) => row.map((cell) => String(cell).replaceAll('|', '\\|')));
  const widths = titles.map((_title, at) => Math.max(3, ...cells.map((row) => row[at]?.length ?? 0)));
  const lines = cells.map((row) => line(row.map((cell, at) => cell.padEnd(widths[at] ?? 0))));
  const [head = '', ...body] = lines;
  return [head, line(widths.map((width) => '-'.repeat(width))), ...body].join('\n');
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
