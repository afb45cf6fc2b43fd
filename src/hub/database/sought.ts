/**
 * SQL by which a row can be found in one way only: looked up in an index, for each value that is asked for.
 *
 * An equality leaves the server the choice. It may as well walk the whole table in the order of an index and compare each
 * row with all that is asked for, which is a little cheaper while the table holds a row or two. What it knows of a queue's
 * table is often from such a moment, and the plan is kept until it looks again, be the table thousands of rows long by then, or
 * its indexes full of dead entries that a long transaction keeps. A range is never joined by order or by hash, so no
 * walk is of any use to it.
 *
 * @param column of the table that is looked into
 * @param value of the row that is looked for
 */
export function sought(column: string, value: string): string {
  return `${column} between ${value} and ${value}`;
}
