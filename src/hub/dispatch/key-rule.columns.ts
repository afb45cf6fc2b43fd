/** Greater than any `seq`. */
export const LAST_SEQ = '9223372036854775807';

/**
 * SQL that is true of the live rows of one ordering key of a broker, from a `seq` on. It compares whole rows, in the order of
 * the index of keys and of no other: by the broker alone the server could find them too, among all that the broker has, and
 * all that has ended since its floor.
 *
 * @param other the live row that is looked at
 * @param row what has the key: `broker_id`, `ordering_key`
 */
export function isOfKey(other: string, row: string, fromSeq: string): string {
  const sameFrom = (seq: string) => `(${row}.ordering_key, ${row}.broker_id, ${seq})`;
  return `${other}.ordering_key is not null
        and (${other}.ordering_key, ${other}.broker_id, ${other}.seq) between ${sameFrom(fromSeq)} and ${sameFrom(LAST_SEQ)}`;
}
