import { Injectable } from '@nestjs/common';
import { PartitionRepository } from './partition.repository.js';

/** Rows of the catch-all partition that one statement deletes. */
const FORGET_MOST = 1_000;

/** What went, and whether something is left that somebody held. */
export type Forgotten = { days: string[]; commands: number; isLeft: boolean };

/** Days to come whose partitions are made beforehand. */
const DAYS_AHEAD = 7;

/**
 * Makes the partitions of the days to come, and forgets commands that ended long ago: whole days (UTC) of when they were
 * accepted, each in a transaction of its own, and those that stand in no day's partition in bounded batches. Nobody waits for
 * it longer than a moment: where somebody holds the history, or another replica is at it, the rest stays for the next time.
 */
@Injectable()
export class History {
  constructor(private readonly partitions: PartitionRepository) {}

  /** @returns whether something is left that somebody held */
  async makeAhead(): Promise<boolean> {
    for (const day of await this.partitions.missing(DAYS_AHEAD))
      if (!(await this.partitions.make(day))) return true;
    return false;
  }

  /** @param olderThan days */
  async forget(olderThan: number, signal?: AbortSignal): Promise<Forgotten> {
    const forgotten: Forgotten = { days: [], commands: 0, isLeft: true };
    for (const day of await this.partitions.old(olderThan)) {
      if (signal?.aborted === true || !(await this.partitions.drop(day))) return forgotten;
      forgotten.days.push(day);
    }
    while (signal?.aborted !== true) {
      const commands = await this.partitions.forgetCaught(olderThan, FORGET_MOST);
      if (commands === undefined) return forgotten;
      forgotten.commands += commands;
      if (commands < FORGET_MOST) return { ...forgotten, isLeft: false };
    }
    return forgotten;
  }
}
