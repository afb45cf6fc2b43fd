import { Injectable } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import { Wakes } from '../cluster/wakes.js';
import { Owners } from './owners.js';
import type { Ending } from './settle.repository.js';
import { Steps } from './steps.js';

export type EndingObserver = (endings: readonly Ending[]) => void;

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

  committed(endings: readonly Ending[]): void {
    if (endings.length === 0) return;
    for (const observer of this.observers) observer(endings);
    this.steps.tell('ended', endings);
    this.owners.ended(endings);
    const elsewhere = new Map<string, Set<string>>();
    for (const { id, originReplica } of endings) {
      if (originReplica === this.replica.id) continue;
      const ids = elsewhere.get(originReplica) ?? new Set<string>();
      elsewhere.set(originReplica, ids.add(id));
    }
    for (const [replicaId, ended] of elsewhere) this.wakes.tell(replicaId, { ended });
  }
}
