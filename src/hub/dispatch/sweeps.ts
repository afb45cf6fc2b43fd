import { Injectable, Logger } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import { Endings } from './endings.js';
import { InsertRepository } from './insert.repository.js';
import { PartitionRepository } from './partition.repository.js';
import { SettleRepository } from './settle.repository.js';

const EXPIRE_MOST = 500;
const PARTITION_DAYS_AHEAD = 7;

/**
 * What time does to dispatches. Every replica sweeps; rows that another is at are skipped, so that they share the
 * work and none of it waits for a particular replica.
 */
@Injectable()
export class Sweeps {
  private readonly log = new Logger('dispatch');
  private readonly loops: Loop[];

  constructor(
    private readonly settle: SettleRepository,
    private readonly insert: InsertRepository,
    private readonly partitions: PartitionRepository,
    private readonly endings: Endings,
    private readonly replica: Replica,
    loops: Loops,
  ) {
    this.loops = [
      loops.make({ name: 'expire', everyMs: 1_000, turn: () => this.expire() }),
      loops.make({ name: 'idempotency keys', everyMs: 60_000, turn: () => this.insert.sweepKeys() }),
      loops.make({ name: 'history partitions', everyMs: 3_600_000, turn: () => this.makePartitions() }),
    ];
  }

  start(): void {
    for (const loop of this.loops) loop.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.loops.map((loop) => loop.stop()));
  }

  private async makePartitions(): Promise<void> {
    await this.partitions.makeAhead(PARTITION_DAYS_AHEAD);
  }

  private async expire(): Promise<void> {
    if (!this.replica.mayAct) return;
    for (;;) {
      const expired = await this.settle.expireOverdue(this.replica.id, EXPIRE_MOST);
      this.endings.committed(expired);
      if (expired.length > 0) this.log.warn({ count: expired.length }, 'commands passed their deadlines');
      if (expired.length < EXPIRE_MOST) return;
    }
  }
}
