/**
 * Of one ordering key, one dispatch is out at a time, and one that was put back keeps its turn before all that were stored
 * after it. One that was stored before it may go first all the same: two that are asked for at once can be stored so that
 * the later one is claimed before the earlier one can be seen.
 *
 * Trails come in the order of their ids, which is that of their claims but for the clocks of the replicas that made the
 * ids. So of each key only those are kept that ended in the last hour before the trail in hand: none that is still to
 * come was claimed earlier, unless a replica's clock was wrong by more than that, and then it is counted as not judged.
 */
import type { Life, Span } from './life.js';
import { timeOf } from './instant.js';
import type { See } from './rule.js';

const KEPT_US = 3_600_000_000;
/** Looking for what may be forgotten goes over all keys, so it waits for as many trails as there are keys, and these. */
const FORGET_EVERY = 1_024;

type Turn = Life & {
  id: string;
  seq: number;
  startedUs: number;
  /** When this one and all that started before it had let go. */
  allLetGoUs: number;
};

export class Turns {
  /** Of each key those that were out, in the order of their starts. */
  private readonly keys = new Map<string, Turn[]>();
  private taken = 0;
  private forgottenUs = -Infinity;
  /** How many came too late to be compared with all others of their key. */
  unjudged = 0;

  constructor(private readonly see: See) {}

  /** @param idUs the time in the id, before which no id is still to come */
  take(key: string, { id, seq }: { id: string; seq: number }, life: Life, idUs: number): void {
    const { startedUs, letGoUs } = life;
    if (startedUs === undefined) return;
    this.taken += 1;
    if (this.taken >= FORGET_EVERY + this.keys.size) this.forget(idUs - KEPT_US);
    if (startedUs < this.forgottenUs) this.unjudged += 1;
    const turns = this.keys.get(key) ?? [];
    if (turns.length === 0) this.keys.set(key, turns);
    let place = turns.length;
    while (place > 0 && (turns[place - 1]?.startedUs ?? -Infinity) > startedUs) place -= 1;
    const turn = { ...life, id, seq, startedUs, allLetGoUs: letGoUs };
    for (let back = place - 1; (turns[back]?.allLetGoUs ?? -Infinity) > startedUs; back -= 1)
      this.compare(turns[back], turn);
    for (let on = place; (turns[on]?.startedUs ?? Infinity) < letGoUs; on += 1) this.compare(turn, turns[on]);
    turns.splice(place, 0, turn);
    for (let on = place; on < turns.length; on += 1) {
      const [before, here] = [turns[on - 1], turns[on]];
      if (here !== undefined && before !== undefined)
        here.allLetGoUs = Math.max(here.allLetGoUs, before.allLetGoUs);
    }
  }

  private compare(one: Turn | undefined, other: Turn | undefined): void {
    if (one === undefined || other === undefined) return;
    const [earlier, later] = one.seq < other.seq ? [one, other] : [other, one];
    const barred = startsWithin(later.out, earlier.held);
    if (barred !== undefined) return this.tell(earlier, later, barred);
    const overtaking = startsWithin(earlier.out, later.out);
    if (overtaking !== undefined) this.tell(later, earlier, overtaking);
  }

  private tell(first: Turn, second: Turn, [start, span]: [Span, Span]): void {
    const [started, letGo] = [timeOf(start.fromUs), timeOf(span.untilUs)];
    this.see('key_in_turn', second.id, `claimed at ${started}, while ${first.id} had the key until ${letGo}`);
  }

  private forget(horizonUs: number): void {
    this.taken = 0;
    this.forgottenUs = Math.max(this.forgottenUs, horizonUs);
    for (const [key, turns] of this.keys) {
      const kept = turns.findIndex(({ letGoUs }) => letGoUs >= horizonUs);
      if (kept < 0) this.keys.delete(key);
      else turns.splice(0, kept);
    }
  }
}

/** A start of the one within a span of the other, and that span. */
function startsWithin(starts: readonly Span[], spans: readonly Span[]): [Span, Span] | undefined {
  for (const start of starts) {
    const span = spans.find(({ fromUs, untilUs }) => fromUs <= start.fromUs && start.fromUs < untilUs);
    if (span !== undefined) return [start, span];
  }
  return undefined;
}
