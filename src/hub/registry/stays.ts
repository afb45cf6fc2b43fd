import { Injectable, Logger } from '@nestjs/common';
import { StayRepository, type MoveRow, type StayRow } from './stay.repository.js';

const FORGET_MOST = 1_000;

/** Who owned which broker, and when, of the last 30 days. */
@Injectable()
export class Stays {
  private readonly log = new Logger('registry');

  constructor(private readonly repository: StayRepository) {}

  /** Newest first, those before the given one; of a moment the one that it lies in. */
  async list(brokerId: string, before: string | null, at: Date | null, limit: number): Promise<StayRow[]> {
    return at === null ? this.repository.list(brokerId, before, limit) : this.repository.at(brokerId, at);
  }

  /** What ended at a replica within a time, and how long each broker was without an owner then. */
  async movesFrom(replicaId: string, from: Date, until: Date): Promise<MoveRow[]> {
    return this.repository.movesFrom(replicaId, from, until);
  }

  /** Ends what was left open, and forgets what is old: a batch at a time, so that no transaction is long. */
  async tidy(signal?: AbortSignal): Promise<void> {
    const left = await this.repository.endLeft();
    if (left > 0) this.log.log({ stays: left }, 'ended stays that were over by the ownership');
    while (signal?.aborted !== true) {
      if ((await this.repository.forgetOld(FORGET_MOST)) < FORGET_MOST) return;
    }
  }
}
