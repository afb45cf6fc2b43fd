import { Injectable, Logger } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import { Contracts } from './contracts.js';
import { EndingRepository } from './ending.repository.js';
import { Endings } from './endings.js';
import { History } from './history.js';
import { InsertRepository, sweepOfAll, type KeySweep } from './insert.repository.js';

const EXPIRE_MOST = 500;
/**
 * Deadlines that passed since the turn before are looked at, and those of some turns before that, for rows that were
 * locked then. Once in a while all of them are, so that none is missed that passed while nobody swept; that may walk over
 * all that has ended, and take longer than a statement may.
 */
const EXPIRE_AGAIN_S = 5;
const EXPIRE_ALL_WITHIN_S = 366 * 86_400;
const EXPIRE_ALL_EVERY_MS = 300_000;
const KEYS_AT_ONCE = 1_000;
/** Those that became old of late are looked at in every turn, and all of them as often as all deadlines are. */
const KEYS_ALL_EVERY_MS = EXPIRE_ALL_EVERY_MS;
/** As seldom as an owner reads everything of its brokers (`Reading`), also where it failed: nobody waits for it. */
const LOOK_BELOW_EVERY_MS = 600_000;
const PARTITIONS_EVERY_MS = 3_600_000;
/** Where somebody held the history. There is a week's time. */
const PARTITIONS_AGAIN_MS = 60_000;

/**
 * What time does to dispatches. Every replica sweeps; rows that another is at are skipped, so that they share the
 * work and none of it waits for a particular replica.
 */
@Injectable()
export class Sweeps {
  private readonly log = new Logger('dispatch');
  private readonly loops: Loop[];
  private expiredAllAt = -Infinity;
  private expiredAt: number | undefined;
  private readonly keysOfLate: KeySweep = { from: null };
  private allKeysSweptAt = -Infinity;
  private arePartitionsLeft = false;

  constructor(
    private readonly ending: EndingRepository,
    private readonly insert: InsertRepository,
    private readonly history: History,
    private readonly endings: Endings,
    private readonly contracts: Contracts,
    private readonly replica: Replica,
    loops: Loops,
  ) {
    this.loops = [
      loops.make({ name: 'expire', everyMs: 1_000, turn: () => this.expire() }),
      // What a replica left that died between storing and judging; all others are ended at once.
      loops.make({
        name: 'links that are over',
        everyMs: 60_000,
        turn: () => this.contracts.lapseStale(null),
      }),
      loops.make({ name: 'idempotency keys', everyMs: 60_000, turn: (signal) => this.forgetKeys(signal) }),
      loops.make({
        name: 'uncounted commands of projects',
        everyMs: LOOK_BELOW_EVERY_MS,
        faultCapMs: LOOK_BELOW_EVERY_MS,
        turn: (signal) => this.insert.lookBelow(signal),
      }),
      loops.make({
        name: 'history partitions',
        everyMs: () => (this.arePartitionsLeft ? PARTITIONS_AGAIN_MS : PARTITIONS_EVERY_MS),
        faultCapMs: PARTITIONS_AGAIN_MS,
        turn: () => this.makePartitions(),
      }),
    ];
  }

  start(): void {
    for (const loop of this.loops) loop.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.loops.map((loop) => loop.stop()));
  }

  /** Forgets keys that are a day old. */
  async forgetKeys(signal?: AbortSignal): Promise<void> {
    const startedAt = performance.now();
    // First, and whatever becomes of those of all, as with deadlines.
    await this.forgetKeysOf(this.keysOfLate, signal);
    if (signal?.aborted === true || startedAt - this.allKeysSweptAt < KEYS_ALL_EVERY_MS) return;
    this.allKeysSweptAt = startedAt;
    await this.forgetKeysOf(sweepOfAll(), signal);
  }

  /** A batch at a time, so that no transaction is long. */
  private async forgetKeysOf(sweep: KeySweep, signal?: AbortSignal): Promise<void> {
    while (signal?.aborted !== true) {
      if ((await this.insert.sweepKeys(KEYS_AT_ONCE, sweep)) < KEYS_AT_ONCE) return;
    }
  }

  private async makePartitions(): Promise<void> {
    this.arePartitionsLeft = await this.history.makeAhead();
  }

  private async expire(): Promise<void> {
    if (!this.replica.mayAct) return;
    const startedAt = performance.now();
    // First, and whatever became of those of all: they are to keep none waiting that passes now.
    const sinceS = (startedAt - (this.expiredAt ?? startedAt)) / 1_000;
    await this.expireWithin(sinceS + EXPIRE_AGAIN_S);
    this.expiredAt = startedAt;
    if (startedAt - this.expiredAllAt < EXPIRE_ALL_EVERY_MS) return;
    this.expiredAllAt = startedAt;
    await this.expireWithin(EXPIRE_ALL_WITHIN_S);
  }

  private async expireWithin(withinS: number): Promise<void> {
    for (;;) {
      const expired = await this.ending.expireOverdue(this.replica.id, withinS, EXPIRE_MOST);
      this.endings.committed(expired);
      if (expired.length > 0) this.log.warn({ count: expired.length }, 'commands passed their deadlines');
      if (expired.length < EXPIRE_MOST) return;
    }
  }
}
