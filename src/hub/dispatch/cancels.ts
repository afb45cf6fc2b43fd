import { Injectable } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import { Wakes } from '../cluster/wakes.js';
import { EndingRepository } from './ending.repository.js';
import { Endings } from './endings.js';
import { Steps } from './steps.js';

/**
 * Takes callers' wishes to give a command up. What was not sent ends at once. What was sent gets a mark that outlives
 * every process, and whoever owns its broker asks it to stop until it has answered.
 */
@Injectable()
export class Cancels {
  constructor(
    private readonly repository: EndingRepository,
    private readonly endings: Endings,
    private readonly steps: Steps,
    private readonly replica: Replica,
    private readonly wakes: Wakes,
  ) {}

  /** Committed when it resolves. A command that has ended, or that nobody knows, is left as it is. */
  async request(id: string): Promise<void> {
    this.replica.assertMayAct();
    const found = await this.repository.cancel(id, this.replica.id);
    if (found === undefined) return;
    const { hasEnded, owner, ...row } = found;
    this.steps.tell('cancel_asked', [row]);
    if (hasEnded) this.endings.committed([row]);
    else if (owner !== null) this.wakes.tell(owner, { cancelled: new Set([id]) });
  }
}
