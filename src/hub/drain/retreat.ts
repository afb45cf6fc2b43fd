import { Injectable, Logger } from '@nestjs/common';
import { Isolation } from '../cluster/peers/isolation.js';
import { Links } from '../registry/links.js';
import { Whereabouts } from '../registry/whereabouts.js';

/** Brokers go within this time, each at a moment of its own. */
const SPREAD_MS = 2_000;
/** What is still here by then is closed. */
const DEADLINE_MS = 10_000;

/**
 * Sends the brokers away from a replica that has lost the database while others have it. Where nobody has it they stay: no
 * other place would be better, and a channel that is kept has nothing to make up for.
 */
@Injectable()
export class Retreat {
  private readonly log = new Logger('drain');

  constructor(
    private readonly links: Links,
    private readonly whereabouts: Whereabouts,
    private readonly isolation: Isolation,
  ) {
    isolation.onAlone(() => this.sendAway());
  }

  private sendAway(): void {
    const all = this.links.all();
    this.log.warn({ brokers: all.length }, 'brokers are sent to other replicas');
    for (const link of all) {
      link.send({
        t: 'going_away',
        reason: 'this replica has lost its database',
        deadlineMs: DEADLINE_MS,
        slotMs: Math.floor(Math.random() * SPREAD_MS),
        alternatives: this.whereabouts.inTurn(),
      });
    }
    setTimeout(() => {
      // One whose database came back in time is as good as any again.
      if (!this.isolation.isAlone) return;
      for (const link of all)
        if (this.links.get(link.brokerId) === link)
          link.close('going_away', 'this replica has lost its database');
    }, DEADLINE_MS).unref();
  }
}
