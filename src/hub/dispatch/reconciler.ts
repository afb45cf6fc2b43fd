import { Injectable, Logger } from '@nestjs/common';
import type { DispatchItem } from '../../protocol/frame.js';
import { batches } from '../../protocol/batches.js';
import { Replica } from '../cluster/replica.js';
import { Wakes } from '../cluster/wakes.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import type { Link } from '../registry/link.js';
import { Links } from '../registry/links.js';
import { Ownership } from '../registry/ownership.js';
import { Backlog, type Read, type Sent, type Waiting } from './backlog.js';
import { ClaimRepository } from './claim.repository.js';
import { InventoryRepository } from './inventory.repository.js';

/** Rows claimed in one statement, over all brokers; and of one broker, so that each gets its turn. */
const CLAIM_MOST = 1_024;
const CLAIM_MOST_A_BROKER = 256;
/** Rest between polls while wakes arrive, and while they do not. */
const POLL_MS = { notify: 5_000, poll: 500 } as const;
const TICK_MS = 250;
const CHECKED_AT_ONCE = 1_000;

/**
 * The owner's half of dispatching: reads ahead, claims, and sends, for all brokers linked to this replica. One
 * claim is in flight at a time. Brokers take turns, so that a slow or busy one holds up no other.
 */
@Injectable()
export class Reconciler {
  private readonly log = new Logger('dispatch');
  private readonly backlogs = new Map<string, Backlog>();
  private readonly loop: Loop;
  private polledAt = -Infinity;
  private firstServed = 0;

  constructor(
    private readonly repository: ClaimRepository,
    private readonly inventories: InventoryRepository,
    private readonly links: Links,
    private readonly ownership: Ownership,
    private readonly replica: Replica,
    private readonly wakes: Wakes,
    loops: Loops,
  ) {
    this.loop = loops.make({
      name: 'reconcile',
      everyMs: TICK_MS,
      faultCapMs: 1_000,
      turn: (s) => this.turn(s),
    });
  }

  start(): void {
    this.links.observe({
      opened: (link) => this.backlogs.set(link.brokerId, new Backlog(link)),
      closed: (link) => {
        if (this.backlogs.get(link.brokerId)?.link === link) this.backlogs.delete(link.brokerId);
      },
    });
    this.wakes.subscribe({
      onHint: ({ brokers, ended }) => {
        for (const [brokerId, seq] of brokers) this.wake(brokerId, seq);
        if (ended.size > 0)
          for (const backlog of this.backlogs.values()) for (const id of ended) backlog.endedElsewhere(id);
      },
      onResumed: () => {
        this.polledAt = -Infinity;
        this.loop.wake();
      },
    });
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  /** The broker has new rows from this `seq` on. */
  wake(brokerId: string, seq: number): void {
    const backlog = this.backlogs.get(brokerId);
    if (backlog === undefined) return;
    backlog.woken(seq);
    this.loop.wake();
  }

  /** The broker's inventory is settled: its rows may be claimed. */
  ready(link: Link, adopted: { id: string; orderingKey: string | null }[]): void {
    const backlog = this.backlogs.get(link.brokerId);
    if (backlog?.link !== link) return;
    for (const { id, orderingKey } of adopted) backlog.adopted(id, orderingKey);
    backlog.isReady = true;
    this.loop.wake();
  }

  acked(brokerId: string, acks: readonly { id: string; attempt: number }[]): void {
    const backlog = this.backlogs.get(brokerId);
    for (const { id, attempt } of acks) backlog?.acked(id, attempt);
    this.loop.wake();
  }

  letGo(brokerId: string, ids: readonly string[]): void {
    const backlog = this.backlogs.get(brokerId);
    for (const id of ids) backlog?.letGo(id);
    this.loop.wake();
  }

  depth(): { waiting: number; unacked: number; out: number } {
    const total = { waiting: 0, unacked: 0, out: 0 };
    for (const { depth } of this.backlogs.values()) {
      total.waiting += depth.waiting;
      total.unacked += depth.unacked;
      total.out += depth.out;
    }
    return total;
  }

  private async turn(signal: AbortSignal): Promise<void> {
    if (!this.replica.mayAct) return;
    await this.pollWhenDue();
    this.repeatOverdue();
    while (!signal.aborted && this.replica.mayAct) {
      await this.readAhead();
      if (!(await this.claimAndSend())) return;
    }
  }

  private async pollWhenDue(): Promise<void> {
    const now = performance.now();
    if (now - this.polledAt < POLL_MS[this.wakes.rung]) return;
    this.polledAt = now;
    for (const backlog of this.backlogs.values()) backlog.poll(now);
    await this.letGoOfEnded();
  }

  /** Rows that somebody else ended, such as the sweep of deadlines, where the hint was lost. */
  private async letGoOfEnded(): Promise<void> {
    const out = [...this.backlogs.values()].flatMap((backlog) =>
      backlog.idsOut.map((id) => ({ backlog, id })),
    );
    for (let from = 0; from < out.length; from += CHECKED_AT_ONCE) {
      const part = new Map(out.slice(from, from + CHECKED_AT_ONCE).map(({ backlog, id }) => [id, backlog]));
      for (const id of await this.inventories.notLive([...part.keys()])) part.get(id)?.letGo(id);
    }
  }

  private async readAhead(): Promise<void> {
    const now = performance.now();
    const reads: { backlog: Backlog; read: Read }[] = [];
    for (const backlog of this.backlogs.values()) {
      const read = backlog.isReady ? backlog.nextRead(now) : undefined;
      if (read !== undefined) reads.push({ backlog, read });
    }
    if (reads.length === 0) return;
    try {
      const rows = await this.repository.readAhead(reads.map(({ read }) => read));
      const byBroker = groupByBroker(rows);
      for (const { backlog, read } of reads) backlog.took(byBroker.get(backlog.brokerId) ?? [], read, now);
    } catch (error) {
      for (const { backlog, read } of reads) backlog.readFailed(read);
      throw error;
    }
  }

  /** @returns whether there may be more to do at once */
  private async claimAndSend(): Promise<boolean> {
    const asked = this.choose();
    if (asked.length === 0) return false;
    const answers = await this.repository.claim(
      this.replica.id,
      asked.map(({ backlog }) => ({ brokerId: backlog.brokerId, epoch: backlog.link.epoch })),
      asked.flatMap(({ rows }) => rows.map(({ id }) => id)),
    );
    const byBroker = new Map(answers.map((answer) => [answer.brokerId, answer]));
    const now = performance.now();
    const displaced: string[] = [];
    const outgoing: { backlog: Backlog; sent: Sent[] }[] = [];
    for (const { backlog, rows } of asked) {
      const answer = byBroker.get(backlog.brokerId);
      if (answer?.owned !== true) {
        displaced.push(backlog.brokerId);
        continue;
      }
      const sent = answer.claimed
        .map((claimed) => backlog.claimed(claimed, now))
        .filter((row) => row !== undefined);
      const taken = new Set(sent.map(({ id }) => id));
      for (const row of rows) if (!taken.has(row.id)) backlog.refused(row, now);
      if (sent.length > 0) outgoing.push({ backlog, sent });
    }
    for (const { backlog, sent } of outgoing) await this.sendOrRepeat(backlog, sent);
    // Their backlogs go with their links: the broker may have a newer one here by now.
    if (displaced.length > 0) await this.ownership.recheck(displaced);
    return outgoing.length > 0;
  }

  /** The next rows of each broker, beginning with another broker each time. */
  private choose(): { backlog: Backlog; rows: Waiting[] }[] {
    const all = [...this.backlogs.values()];
    this.firstServed = all.length === 0 ? 0 : (this.firstServed + 1) % all.length;
    const chosen: { backlog: Backlog; rows: Waiting[] }[] = [];
    let room = CLAIM_MOST;
    for (const backlog of [...all.slice(this.firstServed), ...all.slice(0, this.firstServed)]) {
      if (room === 0) break;
      const rows = backlog.candidates(Math.min(room, CLAIM_MOST_A_BROKER));
      if (rows.length > 0) chosen.push({ backlog, rows });
      room -= rows.length;
    }
    return chosen;
  }

  /** What cannot be sent now is overdue for its ack later, and goes out then. */
  private async sendOrRepeat(backlog: Backlog, rows: Sent[]): Promise<void> {
    await this.send(backlog, rows).catch((error: unknown) => {
      this.log.warn({ brokerId: backlog.brokerId, err: error }, 'claimed commands could not be sent yet');
    });
  }

  private async send(backlog: Backlog, rows: Sent[]): Promise<void> {
    const large = rows.filter(({ args }) => args === null).map(({ id }) => id);
    const args = large.length > 0 ? await this.repository.readArgs(large) : new Map<string, Sent['args']>();
    const now = performance.now();
    const items = rows.flatMap((row): DispatchItem[] => {
      const own = row.args ?? args.get(row.id);
      // Without its arguments the row has ended since the claim.
      if (own === undefined || own === null) return [];
      const { id, attempt, op, orderingKey, deadlineAt } = row;
      return [
        {
          id,
          attempt,
          op,
          args: own,
          key: orderingKey,
          remainingMs: Math.max(0, Math.floor(deadlineAt - now)),
        },
      ];
    });
    for (const dispatches of batches(items, (item) => JSON.stringify(item.args).length + 512)) {
      // Each frame is checked anew: a process that was paused must not act on waking.
      if (!this.replica.mayAct || !backlog.link.carriesWork) return;
      backlog.link.send({ t: 'dispatch', dispatches });
    }
  }

  /** A frame may have been lost on a link that lives: it goes out again under the same attempt. */
  private repeatOverdue(): void {
    const now = performance.now();
    for (const backlog of this.backlogs.values()) {
      const overdue = backlog.overdueAcks(now);
      if (overdue.length === 0) continue;
      this.log.warn({ brokerId: backlog.brokerId, count: overdue.length }, 'acks are overdue; sending again');
      void this.sendOrRepeat(backlog, overdue);
    }
  }
}

function groupByBroker<R extends { brokerId: string }>(rows: readonly R[]): Map<string, R[]> {
  const groups = new Map<string, R[]>();
  for (const row of rows) {
    const group = groups.get(row.brokerId);
    if (group === undefined) groups.set(row.brokerId, [row]);
    else group.push(row);
  }
  return groups;
}
