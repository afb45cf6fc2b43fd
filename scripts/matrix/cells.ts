/** What the tests are run on, the newest version last. */
export const VALUES = {
  pg: ['15', '16', '17', '18'],
  node: ['20', '22', '24'],
  user: ['ordinary', 'root'],
} as const;

export type Postgres = (typeof VALUES.pg)[number];
export type Node = (typeof VALUES.node)[number];
export type User = (typeof VALUES.user)[number];

/** One run of the tests: on this PostgreSQL and this Node, as root or as a user without privileges. */
export type Cell = { pg: Postgres; node: Node; user: User };
export type Dimension = keyof Cell;

/** The values that were asked for; a dimension that nobody named has all of its own. */
export type Only = { [D in Dimension]?: ReadonlySet<string> };

export function nameOf({ pg, node, user }: Cell): string {
  return `pg${pg}-node${node}-${user}`;
}

/** The cell as `--only` takes it. */
export function filterOf({ pg, node, user }: Cell): string {
  return `pg=${pg},node=${node},user=${user}`;
}

export function product(): Cell[] {
  return VALUES.pg.flatMap((pg) =>
    VALUES.node.flatMap((node) => VALUES.user.map((user): Cell => ({ pg, node, user }))),
  );
}

/**
 * The cells that a run has where nothing else is asked for: one in the middle, of the newest PostgreSQL and the newest
 * Node as the user that started the run, and around it each other value of each dimension with the rest as in the
 * middle. So every value is proven, and where one cell alone fails its name tells which value broke it. What breaks
 * only where two other values meet is left to `--all`: PostgreSQL and Node meet in the driver's protocol alone, which is
 * the same for all of these versions.
 */
export function coveringSet(starter: User): Cell[] {
  const middle: Cell = { pg: VALUES.pg[3], node: VALUES.node[2], user: starter };
  const cells = [
    ...VALUES.pg.map((pg): Cell => ({ ...middle, pg })),
    ...VALUES.node.map((node): Cell => ({ ...middle, node })),
    ...VALUES.user.map((user): Cell => ({ ...middle, user })),
  ];
  return [...new Map(cells.map((cell) => [nameOf(cell), cell])).values()];
}

/** The cells to run: never none, since a combination that the covering set leaves out is taken from the product. */
export function choose({ all, only, starter }: { all: boolean; only: Only; starter: User }): Cell[] {
  const isWanted = (cell: Cell): boolean =>
    Object.entries(only).every(([dimension, values]) => values.has(cell[dimension as Dimension]));
  const chosen = (all ? product() : coveringSet(starter)).filter(isWanted);
  return chosen.length > 0 ? chosen : product().filter(isWanted);
}
