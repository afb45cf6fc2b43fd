/**
 * The lowest and the highest of some ids. A look-up of ids in the history names them beside the ids themselves, since the
 * server leaves partitions out by a range, and not by a list that it does not know beforehand.
 */
export function spanOf(ids: readonly string[]): [string, string] {
  let [lowest = NIL] = ids;
  let highest = lowest;
  for (const id of ids) {
    if (id < lowest) lowest = id;
    if (id > highest) highest = id;
  }
  return [lowest, highest];
}

const NIL = '00000000-0000-0000-0000-000000000000';
