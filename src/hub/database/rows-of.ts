/**
 * SQL of a select that makes rows of arrays of the same length, each array a column; one that is shorter gives null at its end.
 *
 * `unnest` of several arrays in a `from` does the same. But the server then keeps what each array gives in a store of its own,
 * made and thrown away with every call: with twenty arrays that costs several times as much as the rest of a statement for
 * one row. In the list of a select they are walked in step (PostgreSQL's documentation, "SQL Functions Returning Sets").
 *
 * @param columns the arrays by the names of their columns, as expressions: constants of the caller
 */
export function rowsOf(columns: Readonly<Record<string, string>>): string {
  return `select ${Object.entries(columns)
    .map(([name, array]) => `unnest(${array}) as ${name}`)
    .join(', ')}`;
}

/** As `rowsOf`, with the place of each row from 1 on. */
export function rowsInPlace(columns: Readonly<Record<string, string>>, first: string): string {
  return `${rowsOf(columns)}, generate_subscripts(${first}, 1) as place`;
}
