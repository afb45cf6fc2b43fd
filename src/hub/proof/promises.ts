/**
 * Order as it is promised: if A was accepted before B was asked for, and both share a key, B does not start before A
 * has let go of the key. When that was is the clients' word, since only they know when an answer arrived; their times
 * are compared with each other, and the database's times with each other, never one with the other.
 *
 * In the order in which the dispatches of a key started, none may stand behind one that was asked for after it had been
 * accepted, and was due (`notBefore`). One that ended without a start stands where it ended: until then it was before all later ones. That those
 * which started do not overlap is the business of `Turns`.
 */
import type { Life } from './life.js';
import type { See } from './rule.js';

type Place = {
  id: string;
  atUs: number;
  /** Milliseconds of a client's clock, the later one of that at which it was known to be accepted, and due; -Infinity and Infinity for what was never so. */
  askedMs: number;
  dueMs: number;
};

/** Places in order, and for each the one that was asked for last among it and those before it. */
type Key = { places: Place[]; latest: Place[] };

export class Promises {
  private readonly keys = new Map<string, Key>();

  constructor(private readonly see: See) {}

  take(
    key: string,
    id: string,
    { startedUs, letGoUs }: Life,
    answered: { askedMs: number; dueMs: number },
  ): void {
    const hasStarted = startedUs !== undefined;
    const place: Place = {
      id,
      atUs: startedUs ?? letGoUs,
      askedMs: hasStarted ? answered.askedMs : -Infinity,
      dueMs: answered.dueMs,
    };
    const { places, latest } = this.keyOf(key);
    let at = places.length;
    while (at > 0 && (places[at - 1]?.atUs ?? 0) > place.atUs) at -= 1;
    const overtaker = latest[at - 1];
    if (overtaker !== undefined && overtaker.askedMs > place.dueMs) this.tell(place, overtaker);
    const overtaken = places.slice(at).find(({ dueMs }) => dueMs < place.askedMs);
    if (overtaken !== undefined) this.tell(overtaken, place);
    places.splice(at, 0, place);
    // Nearly always the new one is the last, and there is one to note.
    for (let next = at; next < places.length; next += 1) {
      const [before, here] = [latest[next - 1], places[next]];
      if (here !== undefined)
        latest[next] = before !== undefined && before.askedMs > here.askedMs ? before : here;
    }
  }

  private tell(first: Place, second: Place): void {
    const seen = `it started before ${first.id}, which had been accepted before it was asked for, let go of the key`;
    this.see('order_as_promised', second.id, seen);
  }

  private keyOf(name: string): Key {
    const key = this.keys.get(name) ?? { places: [], latest: [] };
    this.keys.set(name, key);
    return key;
  }
}
