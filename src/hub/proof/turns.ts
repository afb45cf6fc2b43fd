/**
 * Of one ordering key, one dispatch is out at a time: from its first claim until it lets go of the key.
 *
 * Trails come in the order of their ids, which is that of their claims but for the clocks of the replicas that made the
 * ids. So of each key only those are kept that ended in the last hour before the trail in hand: none that is still to
 * come was claimed earlier, unless a replica's clock was wrong by more than that, and then it is counted as not judged.
 */
import type { Life } from './life.js';
import { timeOf } from './instant.js';
import type { See } from './rule.js';

const KEPT_US = 3_600_000_000;
/** Looking for what may be forgotten goes over all keys, so it waits for as many trails as there are keys, and these. */
const FORGET_EVERY = 1_024;

type Out = { id: string; startedUs: number; letGoUs: number };

export class Turns {
  /** Of each key what was out, in the order of its starts. */
  private readonly keys = new Map<string, Out[]>();
  private taken = 0;
  private forgottenUs = 0;
  /** How many came too late to be compared with all others of their key. */
  unjudged = 0;

  constructor(private readonly see: See) {}

  /** @param idUs the time in the id, before which no id is still to come */
  take(key: string, id: string, { startedUs, letGoUs }: Life, idUs: number): void {
    if (startedUs === undefined) return;
    this.taken += 1;
    if (this.taken >= FORGET_EVERY + this.keys.size) this.forget(idUs - KEPT_US);
    if (startedUs < this.forgottenUs) this.unjudged += 1;
    const outs = this.keys.get(key) ?? [];
    if (outs.length === 0) this.keys.set(key, outs);
    let place = outs.length;
    while (place > 0 && (outs[place - 1]?.startedUs ?? 0) > startedUs) place -= 1;
    const out = { id, startedUs, letGoUs };
    const [before, after] = [outs[place - 1], outs[place]];
    if (before !== undefined && before.letGoUs > startedUs) this.tell(before, out);
    if (after !== undefined && letGoUs > after.startedUs) this.tell(out, after);
    outs.splice(place, 0, out);
  }

  private tell(first: Out, second: Out): void {
    const [started, letGo] = [timeOf(second.startedUs), timeOf(first.letGoUs)];
    this.see('key_in_turn', second.id, `claimed at ${started}, while ${first.id} was out until ${letGo}`);
  }

  private forget(horizonUs: number): void {
    this.taken = 0;
    this.forgottenUs = Math.max(this.forgottenUs, horizonUs);
    for (const [key, outs] of this.keys) {
      const kept = outs.findIndex(({ letGoUs }) => letGoUs >= horizonUs);
      if (kept < 0) this.keys.delete(key);
      else outs.splice(0, kept);
    }
  }
}
