import { Injectable } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import type { Backlog } from './backlog.js';
import type { Sent } from './sent.js';
import { Backlogs } from './backlogs.js';
import { SMALL_ARGS_BYTES } from './claim.repository.js';
import type { Draft } from './draft.js';
import type { Inserted } from './insert.repository.js';
import { isClaimableAhead } from './row-copy.js';
import { Sender } from './sender.js';
import { Shares } from './shares.js';
import { Steps } from './steps.js';

/** A broker that commands may be handed to: under the epoch that this replica holds, or null under that of another. */
export type HandingTo = { brokerId: string; epoch: number | null };

/** Memory keeps what the read-ahead would keep: large arguments are read from the row where they go out again. */
function forgetLargeArgs(sent: Sent): void {
  if (sent.argsBytes > SMALL_ARGS_BYTES) sent.args = null;
}

/** Which commands of a group may be stored as claimed, and what is held in memory for them until that is decided. */
export class Offer {
  /**
   * @param places those for brokers that are linked here, by their place in the group
   * @param elsewhere the places of those for brokers that are linked to others
   */
  constructor(
    private readonly places: ReadonlyMap<number, Backlog>,
    private readonly elsewhere: ReadonlySet<number>,
    private readonly drafts: readonly Draft[],
  ) {}

  get isEmpty(): boolean {
    return this.places.size === 0 && this.elsewhere.size === 0;
  }

  get brokers(): HandingTo[] {
    const here = [...new Set(this.places.values())].map(({ brokerId, link: { epoch } }) => ({
      brokerId,
      epoch,
    }));
    const others = new Set([...this.elsewhere].map((place) => this.drafts[place]?.brokerId ?? ''));
    return [...here, ...[...others].map((brokerId) => ({ brokerId, epoch: null }))];
  }

  has(place: number): boolean {
    return this.places.has(place) || this.elsewhere.has(place);
  }

  /** Nothing is held any more. */
  withdraw(): void {
    for (const [place, backlog] of this.places) backlog.unreserve(this.idAt(place));
  }

  /** @returns what was claimed of each backlog */
  took(inserted: readonly Inserted[], now: number): Map<Backlog, Sent[]> {
    const handed = new Map<Backlog, Sent[]>();
    for (const [place, backlog] of this.places) {
      backlog.unreserve(this.idAt(place));
      const draft = this.drafts[place];
      const { seq = null, isHanded = false } = inserted[place] ?? {};
      if (draft === undefined || seq === null || !isHanded) continue;
      const sent = backlog.handed(draft, seq, now);
      if (sent === undefined) continue;
      const others = handed.get(backlog);
      if (others === undefined) handed.set(backlog, [sent]);
      else others.push(sent);
    }
    return handed;
  }

  private idAt(place: number): string {
    return this.drafts[place]?.id ?? '';
  }
}

/**
 * Where nothing of a broker waits, a command is stored as claimed and sent at once: that spares the read-ahead and the claim
 * with its commit. Where the broker's connection is held by another replica the command is stored as claimed for that one,
 * which learns of it with its wake, or else with its next look at the rows; only commands without an ordering key are,
 * since two replicas that store commands of one key at the same moment see nothing of each other. A command that may not be
 * handed off is stored as any other.
 */
@Injectable()
export class HandOff {
  constructor(
    private readonly backlogs: Backlogs,
    private readonly sender: Sender,
    private readonly steps: Steps,
    private readonly replica: Replica,
    private readonly shares: Shares,
  ) {}

  offer(drafts: readonly Draft[]): Offer {
    const places = new Map<number, Backlog>();
    const elsewhere = new Set<number>();
    // What a project's rules are to judge goes the way on which they do.
    if (!this.replica.mayAct || drafts.some(({ projectId }) => projectId !== null))
      return new Offer(places, elsewhere, drafts);
    // The statement does not see the rows that it stores itself: what is not offered holds up the rest of its key.
    const passedOver = new Set<string>();
    const room = new Map<string, number>();
    const now = performance.now();
    for (const [place, draft] of drafts.entries()) {
      const { brokerId, orderingKey } = draft;
      const key = orderingKey === null ? null : `${brokerId} ${orderingKey}`;
      if (key !== null && passedOver.has(key)) continue;
      const backlog = this.backlogs.of(brokerId);
      if (backlog?.reserve(draft) === true) places.set(place, backlog);
      else if (key !== null) passedOver.add(key);
      else if (backlog === undefined && isClaimableAhead(draft)) {
        const left = room.get(brokerId) ?? this.shares.room(brokerId, now);
        room.set(brokerId, left - 1);
        if (left > 0) elsewhere.add(place);
      }
    }
    return new Offer(places, elsewhere, drafts);
  }

  /** What was offered is committed. */
  took(offer: Offer, drafts: readonly Draft[], inserted: readonly Inserted[]): void {
    const now = performance.now();
    for (const [backlog, sent] of offer.took(inserted, now)) {
      this.steps.tell('claimed', sent);
      void this.sender.send(backlog, sent).then(() => sent.forEach(forgetLargeArgs));
    }
    for (const [place, draft] of drafts.entries()) {
      const { seq = null, owner = null, isHanded = false, window = null } = inserted[place] ?? {};
      const { id, brokerId } = draft;
      if (seq === null || owner === null || !isClaimableAhead(draft) || this.backlogs.has(brokerId)) continue;
      this.shares.stored(id, brokerId, isHanded, window, now);
    }
  }
}
