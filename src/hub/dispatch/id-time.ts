/**
 * Ids are uuids of version 7: their first 48 bits are the milliseconds at which the replica that took the command made
 * them. A span of time is therefore a range of ids, which the history is kept by.
 */

const HEX_OF_TIME = 12;
const MOST_MS = 2 ** 48 - 1;

/** Less than any id made at this time or later, and more than any made before. */
export function firstIdAt(ms: number): string {
  const hex = Math.min(Math.max(0, Math.floor(ms)), MOST_MS)
    .toString(16)
    .padStart(HEX_OF_TIME, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/** When an id was made, in milliseconds since 1970. */
export function idTimeMs(id: string): number {
  return parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
