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

/**
 * How a statement is given its rows: any number, as arrays; or one alone, as values of the arrays' types. For one the server walks no
 * arrays, sorts nothing and matches nothing, which was an eighth of its processor time for an insert.
 */
export type RowShape = {
  rowsOf: typeof rowsOf;
  rowsInPlace: typeof rowsInPlace;
  /** SQL of an order among the rows. */
  orderBy: (column: string) => string;
  /** SQL that tells whether two columns are of the same row. */
  areOfOneRow: (a: string, b: string) => string;
};

export const MANY_ROWS: RowShape = {
  rowsOf,
  rowsInPlace,
  orderBy: (column) => `order by ${column}`,
  areOfOneRow: (a, b) => `${a} = ${b}`,
};

export const ONE_ROW: RowShape = {
  rowsOf: valuesOf,
  rowsInPlace: (columns) => `${valuesOf(columns)}, 1 as place`,
  orderBy: () => '',
  areOfOneRow: () => 'true',
};

function valuesOf(columns: Readonly<Record<string, string>>): string {
  return `select ${Object.entries(columns)
    .map(([name, array]) => `${array.replace(/\[\]$/, '')} as ${name}`)
    .join(', ')}`;
}
