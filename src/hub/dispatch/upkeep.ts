import { Injectable } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import { Wakes } from '../cluster/wakes.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import type { Backlog } from './backlog.js';
import { Backlogs } from './backlogs.js';
import { FloorRepository } from './floor.repository.js';
import { InventoryRepository } from './inventory.repository.js';
import { Reconciler } from './reconciler.js';
import { Sender } from './sender.js';
import { Steps } from './steps.js';

const TICK_MS = { notify: 250, poll: 100 } as const;
/** Rest between polls while wakes arrive. */
const POLL_MS = 5_000;
/** And while they do not: short where commands come and go, longer by half each time that none did. */
const POLL_BUSY_MS = 100;
const POLL_IDLE_MS = 1_000;
/** Rest between comparisons of what is held for sent with the rows. */
const COMPARE_MS = { notify: 5_000, poll: 500 } as const;
const CHECKED_AT_ONCE = 1_000;

/**
 * What the owner does by the clock, so that nothing depends on a hint: repeats frames that were not answered, polls
 * for rows that it was not told of, compares what it holds for sent with the rows, and stores each broker's floor.
 */
@Injectable()
export class Upkeep {
  private readonly loop: Loop;
  private readonly stored = new Map<string, number>();
  private polledAt = -Infinity;
  private comparedAt = -Infinity;
  private pollRestMs = POLL_BUSY_MS;
  private hasClaimed = false;

  constructor(
    private readonly backlogs: Backlogs,
    private readonly reconciler: Reconciler,
    private readonly sender: Sender,
    private readonly inventories: InventoryRepository,
    private readonly floors: FloorRepository,
    private readonly replica: Replica,
    private readonly wakes: Wakes,
    private readonly steps: Steps,
    loops: Loops,
  ) {
    this.loop = loops.make({
      name: 'dispatch upkeep',
      everyMs: () => TICK_MS[this.wakes.rung],
      faultCapMs: 1_000,
      turn: () => this.turn(),
    });
  }

  start(): void {
    this.backlogs.start(
      () => {
        this.reconciler.wake();
      },
      () => {
        this.polledAt = -Infinity;
        this.comparedAt = -Infinity;
        this.loop.wake();
      },
    );
    this.steps.observe({ claimed: () => (this.hasClaimed = true) });
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  private async turn(): Promise<void> {
    if (!this.replica.mayAct) return;
    for (const backlog of this.backlogs.holding()) {
      this.sender.repeatOverdue(backlog);
      this.sender.askToStop(backlog);
    }
    const now = performance.now();
    if (now - this.polledAt >= this.restMs()) {
      this.polledAt = now;
      this.pollRestMs = Math.min(POLL_IDLE_MS, this.pollRestMs * 1.5);
      this.hasClaimed = false;
      for (const backlog of this.backlogs.all()) backlog.poll(now);
      this.reconciler.wake();
    }
    if (now - this.comparedAt < COMPARE_MS[this.wakes.rung]) return;
    this.comparedAt = now;
    await this.compareOut();
    await this.storeFloors();
  }

  private restMs(): number {
    if (this.wakes.rung === 'notify') return POLL_MS;
    if (this.hasClaimed) this.pollRestMs = POLL_BUSY_MS;
    return this.pollRestMs;
  }

  /** Finds what somebody else ended or put back, and what callers gave up, where the hint was lost. */
  private async compareOut(): Promise<void> {
    const out = this.backlogs.holding().flatMap((backlog) => backlog.out.ids.map((id) => ({ backlog, id })));
    for (let from = 0; from < out.length; from += CHECKED_AT_ONCE) {
      const part = new Map(out.slice(from, from + CHECKED_AT_ONCE).map(({ backlog, id }) => [id, backlog]));
      for (const { id, seq, isOut, cancelRequested } of await this.inventories.readOut([...part.keys()])) {
        const backlog = part.get(id);
        if (cancelRequested) backlog?.out.cancelRequested(id);
        if (isOut === true) continue;
        backlog?.letGo(id);
        if (seq !== null) backlog?.woken(seq);
      }
    }
  }

  private async storeFloors(): Promise<void> {
    const isNew = (backlog: Backlog) =>
      backlog.isReady && backlog.floor > (this.stored.get(backlog.brokerId) ?? 1);
    const risen = this.backlogs.all().filter(isNew);
    if (risen.length === 0) return;
    const floors = risen.map(({ brokerId, link, floor }) => ({ brokerId, epoch: link.epoch, floor }));
    await this.floors.store(this.replica.id, floors);
    for (const { brokerId, floor } of floors) this.stored.set(brokerId, floor);
  }
}
