import { Injectable } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import type { Backlog, Sent } from './backlog.js';
import { Backlogs } from './backlogs.js';
import { SMALL_ARGS_BYTES } from './claim.repository.js';
import type { Draft } from './draft.js';
import type { Inserted } from './insert.repository.js';
import { Sender } from './sender.js';
import { Steps } from './steps.js';

/** A broker that commands may be handed to, under the epoch that this replica holds. */
export type HandingTo = { brokerId: string; epoch: number };

/** Memory keeps what the read-ahead would keep: large arguments are read from the row where they go out again. */
function forgetLargeArgs(sent: Sent): void {
  if (sent.args !== null && Buffer.byteLength(JSON.stringify(sent.args)) > SMALL_ARGS_BYTES) sent.args = null;
}

/** Which commands of a group may be stored as claimed, and what is held in memory for them until that is decided. */
export class Offer {
  constructor(
    private readonly places: ReadonlyMap<number, Backlog>,
    private readonly drafts: readonly Draft[],
  ) {}

  get isEmpty(): boolean {
    return this.places.size === 0;
  }

  get brokers(): HandingTo[] {
    return [...new Set(this.places.values())].map(({ brokerId, link: { epoch } }) => ({ brokerId, epoch }));
  }

  has(place: number): boolean {
    return this.places.has(place);
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
 * Where the broker's connection is held here and nothing of it waits, a command is stored as claimed and sent at once: that
 * spares the read-ahead and the claim with its commit. A command that may not be is stored as any other.
 */
@Injectable()
export class HandOff {
  constructor(
    private readonly backlogs: Backlogs,
    private readonly sender: Sender,
    private readonly steps: Steps,
    private readonly replica: Replica,
  ) {}

  offer(drafts: readonly Draft[]): Offer {
    const places = new Map<number, Backlog>();
    // What a project's rules are to judge goes the way on which they do.
    if (!this.replica.mayAct || drafts.some(({ projectId }) => projectId !== null))
      return new Offer(places, drafts);
    // The statement does not see the rows that it stores itself: what is not offered holds up the rest of its key.
    const passedOver = new Set<string>();
    for (const [place, draft] of drafts.entries()) {
      const { brokerId, orderingKey } = draft;
      const key = orderingKey === null ? null : `${brokerId} ${orderingKey}`;
      if (key !== null && passedOver.has(key)) continue;
      const backlog = this.backlogs.of(brokerId);
      if (backlog?.reserve(draft) === true) places.set(place, backlog);
      else if (key !== null) passedOver.add(key);
    }
    return new Offer(places, drafts);
  }

  /** What was offered is committed. */
  took(offer: Offer, inserted: readonly Inserted[]): void {
    for (const [backlog, sent] of offer.took(inserted, performance.now())) {
      this.steps.tell('claimed', sent);
      void this.sender.send(backlog, sent).then(() => sent.forEach(forgetLargeArgs));
    }
  }
}
