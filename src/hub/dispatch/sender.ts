import { Injectable, Logger } from '@nestjs/common';
import { batches } from '../../protocol/batches.js';
import type { DispatchItem, JsonObject } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { Replica } from '../cluster/replica.js';
import type { Backlog } from './backlog.js';
import type { Sent } from './sent.js';
import { ClaimRepository } from './claim.repository.js';
import { Results } from './results.js';
import { SealedArgs } from './sealed-args.js';
import { Steps } from './steps.js';
import { UNACKED_BYTES_MOST } from './unacked.js';

/**
 * Puts claimed commands on the wire, and the wishes to stop them. Each frame is checked anew: a process that was
 * paused must not act on waking.
 */
@Injectable()
export class Sender {
  private readonly log = new Logger('dispatch');

  constructor(
    private readonly repository: ClaimRepository,
    private readonly sealed: SealedArgs,
    private readonly results: Results,
    private readonly steps: Steps,
    private readonly replica: Replica,
  ) {}

  /** What cannot be sent now is overdue for its ack later, and goes out then. */
  async send(backlog: Backlog, rows: Sent[]): Promise<void> {
    try {
      await this.sendOnce(backlog, rows);
    } catch (error) {
      this.log.warn({ brokerId: backlog.brokerId, err: error }, 'claimed commands could not be sent yet');
    }
  }

  /** A frame may have been lost on a link that lives: it goes out again under the same attempt. */
  repeatOverdue(backlog: Backlog): void {
    // What waits in this process for a slow peer is not lost, and more of the same would end its link.
    if (backlog.link.unsentBytes > LIMITS.frameBytes) return;
    const overdue = backlog.overdueAcks(performance.now());
    if (overdue.length === 0) return;
    this.log.warn({ brokerId: backlog.brokerId, count: overdue.length }, 'acks are overdue; sending again');
    void this.send(backlog, overdue);
  }

  /** Asks the broker to stop what its caller gave up and what is past its deadline, until it has answered. */
  askToStop(backlog: Backlog): void {
    if (!this.maySend(backlog)) return;
    for (const rows of batches(backlog.out.toStop(performance.now()))) {
      backlog.link.send({ t: 'cancel', cancels: rows.map(({ id, attempt }) => ({ id, attempt })) });
    }
  }

  private async sendOnce(backlog: Backlog, claimed: Sent[]): Promise<void> {
    // What its caller gave up is not begun any more: the broker is asked to stop it, and answers that.
    const isWanted = ({ id }: Sent) => !backlog.out.isGivenUp(id);
    const rows = claimed.filter(isWanted);
    const large = rows.filter(({ args }) => args === null).map(({ id }) => id);
    const args =
      large.length > 0 ? await this.repository.readArgs(large) : new Map<string, JsonObject | null>();
    const now = performance.now();
    // Some may have been given up while arguments were read.
    const items = rows.filter(isWanted).flatMap((row): DispatchItem[] => {
      const own = row.args ?? args.get(row.id);
      // Without its arguments the row has ended since the claim.
      if (own === undefined) return [];
      const opened = this.opened(backlog, row, own ?? {});
      if (opened === undefined) return [];
      const { id, attempt, op, orderingKey, deadlineAt, traceparent } = row;
      const remainingMs = Math.max(0, Math.floor(deadlineAt - now));
      const item: DispatchItem = { id, attempt, op, args: opened, key: orderingKey, remainingMs };
      if (traceparent !== null) item.traceparent = traceparent;
      return [item];
    });
    for (const dispatches of batches(items, (item) => Buffer.byteLength(JSON.stringify(item)))) {
      // Arguments may be longer on the wire than they are known to be. The rest is overdue later.
      if (!this.maySend(backlog) || backlog.link.unsentBytes > UNACKED_BYTES_MOST) return;
      backlog.link.send({ t: 'dispatch', dispatches });
      this.steps.tell('sent', dispatches);
    }
  }

  /**
   * What no key opens any more can never be sent: it ends, and holds up nothing. Only of a first attempt is it known that
   * nothing was done: an earlier one was sent, and may have been begun.
   */
  private opened({ brokerId }: Backlog, { id, attempt, op }: Sent, args: JsonObject): JsonObject | undefined {
    try {
      return this.sealed.open(op, id, args);
    } catch (error) {
      this.log.error({ dispatchId: id, err: error }, 'sealed arguments could not be opened');
      const message = 'Its arguments were sealed with a key that the hub does not have any more.';
      const effect = attempt === 1 ? 'none' : 'unknown';
      const refusal = { code: 'seal_unopened', message, retryable: false, data: { effect } };
      void this.results.refuse(brokerId, { id, attempt, outcome: 'failed', error: refusal });
      return undefined;
    }
  }

  private maySend({ link }: Backlog): boolean {
    return this.replica.mayAct && link.carriesWork;
  }
}
