/**
 * Of one broker, one replica claims at a time: under an epoch that one connection has, and none under it after the first claim
 * under a later one. A replica that was paused and goes on as if it owned the broker still breaks this by its first claim,
 * whatever command that is of.
 *
 * Claims are told by trails that come in the order of their ids, and none that is still to come was claimed before the
 * time in the id at hand. So of the epochs that were last claimed under more than an hour before that only the latest is kept.
 */
import type { Facts } from './facts.js';
import { timeOf } from './instant.js';
import { isClaim } from './path.js';
import type { See } from './rule.js';

const KEPT_US = 3_600_000_000;
/** Looking for what may be forgotten goes over all brokers, so it waits for as many trails as there are brokers, and these. */
const FORGET_EVERY = 1_024;

type Reign = { epoch: number; replica: string | undefined; firstUs: number; lastUs: number };
type Claim = { epoch: number; atUs: number; replica: string | undefined };

export class Owners {
  /** Of each broker, in the order of epochs. */
  private readonly reigns = new Map<string, Reign[]>();
  private taken = 0;

  constructor(private readonly see: See) {}

  /** @param idUs the time in the id, before which no claim is still to come */
  take({ id, brokerId, trail }: Facts, idUs: number): void {
    this.taken += 1;
    if (this.taken >= FORGET_EVERY + this.reigns.size) this.forget(idUs - KEPT_US);
    for (const step of trail) {
      const { epoch, atUs, replica } = step;
      if (isClaim(step) && epoch !== undefined) this.claim(id, brokerId, { epoch, atUs, replica });
    }
  }

  private claim(id: string, brokerId: string, claim: Claim): void {
    const reigns = this.reigns.get(brokerId) ?? [];
    if (reigns.length === 0) this.reigns.set(brokerId, reigns);
    let place = reigns.length;
    while (place > 0 && (reigns[place - 1]?.epoch ?? 0) > claim.epoch) place -= 1;
    const own = reigns[place - 1]?.epoch === claim.epoch ? reigns[place - 1] : undefined;
    this.compare(id, claim, own, reigns[own === undefined ? place - 1 : place - 2], reigns[place]);
    if (own === undefined) {
      const { epoch, replica, atUs } = claim;
      reigns.splice(place, 0, { epoch, replica, firstUs: atUs, lastUs: atUs });
    } else {
      own.firstUs = Math.min(own.firstUs, claim.atUs);
      own.lastUs = Math.max(own.lastUs, claim.atUs);
    }
  }

  private compare(
    id: string,
    { epoch, atUs, replica }: Claim,
    own: Reign | undefined,
    before: Reign | undefined,
    after: Reign | undefined,
  ): void {
    const here = `claimed under epoch ${epoch} at ${timeOf(atUs)}`;
    if (own !== undefined && own.replica !== replica)
      this.see('owners_in_turn', id, `${here} by ${replica ?? 'nobody'}, and by ${own.replica ?? 'nobody'}`);
    else if (after !== undefined && after.firstUs < atUs)
      this.see('owners_in_turn', id, `${here}, after epoch ${after.epoch} at ${timeOf(after.firstUs)}`);
    else if (before !== undefined && before.lastUs > atUs)
      this.see('owners_in_turn', id, `${here}, before epoch ${before.epoch} at ${timeOf(before.lastUs)}`);
  }

  private forget(horizonUs: number): void {
    this.taken = 0;
    for (const reigns of this.reigns.values()) {
      const kept = reigns.findIndex(({ lastUs }) => lastUs >= horizonUs);
      reigns.splice(0, Math.max(0, (kept < 0 ? reigns.length : kept) - 1));
    }
  }
}
