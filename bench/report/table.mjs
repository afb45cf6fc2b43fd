/** Rows of cells as columns that line up; numbers to the right, as their heads. */
export function table(heads, rows) {
  const cells = [heads, ...rows].map((row) => row.map(String));
  const widths = heads.map((_head, column) => Math.max(...cells.map((row) => row[column].length)));
  const isNumeric = heads.map((_head, column) => rows.every((row) => /^[-\d]/.test(String(row[column]))));
  const line = (row) =>
    row
      .map((cell, column) =>
        isNumeric[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column]),
      )
      .join('  ')
      .trimEnd();
  const [head, ...body] = cells.map(line);
  return [head, widths.map((width) => '-'.repeat(width)).join('  '), ...body].join('\n');
}

/** Three digits that matter, with commas between thousands. */
export function figure(value) {
  if (!Number.isFinite(value)) return '-';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toPrecision(3);
}

/** A median with its spread. */
export function withSpread({ median, low, high }, unit = '') {
  return `${figure(median)}${unit} (${figure(low)} to ${figure(high)})`;
}
