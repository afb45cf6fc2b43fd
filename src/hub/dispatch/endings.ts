import { Injectable } from '@nestjs/common';
import type { Hint } from '../cluster/hint.js';
import { Replica } from '../cluster/replica.js';
import { Wakes } from '../cluster/wakes.js';
import { Owners } from './owners.js';
import type { OutcomeCopy } from './row-copy.js';
import type { Ending } from './settle.repository.js';
import { Steps } from './steps.js';

/** Takes committed endings, and copies of how some of them ended. */
export type EndingObserver = (endings: readonly Ending[], outcomes: ReadonlyMap<string, OutcomeCopy>) => void;

const NO_COPIES: ReadonlyMap<string, OutcomeCopy> = new Map();

/**
 * Spreads the word of committed endings: to whoever observes them on this replica, and as a hint to the replica
 * where the command came in and to the one that holds its broker. Both may be lost with the process; whoever depends on an ending reads it from rows.
 */
@Injectable()
export class Endings {
  private readonly observers: EndingObserver[] = [];

  constructor(
    private readonly replica: Replica,
    private readonly wakes: Wakes,
    private readonly steps: Steps,
    private readonly owners: Owners,
  ) {}

  observe(observer: EndingObserver): void {
    this.observers.push(observer);
  }

  /** @param outcomes of those that can be told by a copy */
  committed(endings: readonly Ending[], outcomes: ReadonlyMap<string, OutcomeCopy> = NO_COPIES): void {
    if (endings.length === 0) return;
    for (const observer of this.observers) observer(endings, outcomes);
    this.steps.tell('ended', endings);
    this.owners.ended(endings);
    const elsewhere = new Map<string, Pick<Hint, 'ended' | 'outcomes'>>();
    for (const { id, originReplica } of endings) {
      if (originReplica === this.replica.id) continue;
      const hint = elsewhere.get(originReplica) ?? { ended: new Set(), outcomes: new Map() };
      elsewhere.set(originReplica, hint);
      const outcome = outcomes.get(id);
      if (outcome === undefined) hint.ended.add(id);
      else hint.outcomes.set(id, outcome);
    }
    for (const [replicaId, hint] of elsewhere) this.wakes.tell(replicaId, hint);
  }
}
