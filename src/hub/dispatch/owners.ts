import { Injectable, Logger } from '@nestjs/common';
import { Wakes } from '../cluster/wakes.js';
import type { Hint } from '../cluster/hint.js';
import { Ownership } from '../registry/ownership.js';
import { Backlogs } from './backlogs.js';

type Row = { id: string; seq: number; brokerId: string };

/**
 * Tells owners what was done here to rows that they may hold in memory: by a sweep, by a caller, by a later command, or by a
 * result over a link that its broker has left. Owners elsewhere are looked up beside the way of results; one that is
 * not told finds out when it next compares.
 */
@Injectable()
export class Owners {
  private readonly log = new Logger('dispatch');

  constructor(
    private readonly backlogs: Backlogs,
    private readonly ownership: Ownership,
    private readonly wakes: Wakes,
  ) {}

  ended(rows: readonly Row[]): void {
    this.backlogs.ended(rows);
    this.tell(rows, (own) => ({ ended: new Set(own.map(({ id }) => id)) }));
  }

  /** They are pending again. */
  putBack(rows: readonly Row[]): void {
    this.tell(rows, (own) => {
      const brokers = new Map<string, number>();
      for (const { brokerId, seq } of own)
        brokers.set(brokerId, Math.min(seq, brokers.get(brokerId) ?? Infinity));
      return { brokers };
    });
  }

  private tell(rows: readonly Row[], hintOf: (rows: readonly Row[]) => Partial<Hint>): void {
    const elsewhere = rows.filter(({ brokerId }) => !this.backlogs.has(brokerId));
    if (elsewhere.length === 0) return;
    this.tellOwnersOf(elsewhere, hintOf).catch((error: unknown) => {
      this.log.warn(
        { count: elsewhere.length, err: error },
        'owners could not be told; they find out by polls',
      );
    });
  }

  private async tellOwnersOf(
    rows: readonly Row[],
    hintOf: (rows: readonly Row[]) => Partial<Hint>,
  ): Promise<void> {
    const owners = await this.ownership.ownersOf([...new Set(rows.map(({ brokerId }) => brokerId))]);
    for (const owner of new Set(owners.values()))
      this.wakes.tell(owner, hintOf(rows.filter(({ brokerId }) => owners.get(brokerId) === owner)));
  }
}
