import { Sealer } from '../auth/sealer.js';
import type { SealedRows } from './doctor.repository.js';
import { found, type Finding } from './finding.js';

/** Whether the ring opens what is sealed in the rows, and which of its keys nothing needs any more. */
export function sealFindings(ring: readonly Buffer[], sealed: readonly SealedRows[]): Finding[] {
  // A ring without keys opens nothing, and is none for a sealer.
  const sealer = ring.length > 0 ? new Sealer(ring) : undefined;
  const places = sealed.map((rows) => ({ ...rows, key: sealer?.placeOf(rows.head) }));
  const unopened = places.filter(({ key }) => key === undefined);
  const needed = new Set(places.map(({ key }) => key));
  const idle = ring.map((_, place) => place).filter((place) => place > 0 && !needed.has(place));
  return [
    ...unopened.map(({ place, count }) =>
      found('seal_key_missing', `no key of the ring sealed ${count} secrets in ${place}`),
    ),
    ...idle.map((place) =>
      found('seal_key_idle', `nothing in the database needs key ${place + 1} of the ring`),
    ),
  ];
}
