/** Live commands that a broker may have; one more is refused. */
export const PENDING_MOST = 10_000;

/** A count is taken anew after this many commands that this replica added to it. */
const COUNT_AFTER = PENDING_MOST / 10;
/** Past this much of the cap every statement counts. */
const NEAR = 0.8 * PENDING_MOST;
/** Brokers that are remembered; all are counted anew where there are more. */
const REMEMBERED_MOST = 50_000;

/**
 * Decides when the commands that wait for a broker are counted. Counting with every insert would cost more than the
 * insert, so it is done for the first command of a broker, then once in a while, and always near the cap. Other
 * replicas add commands of their own: with several of them the cap may be passed by `COUNT_AFTER` each.
 */
export class Depths {
  private readonly known = new Map<string, { counted: number; added: number }>();

  /** Of the brokers of a batch, those whose live commands its statement must count. */
  toCount(brokerIds: readonly string[]): string[] {
    return [...new Set(brokerIds)].filter((brokerId) => {
      const depth = this.known.get(brokerId);
      return depth === undefined || depth.added >= COUNT_AFTER || depth.counted + depth.added >= NEAR;
    });
  }

  /** Takes what a statement counted, and what it stored. */
  took(rows: readonly { brokerId: string; depth: number | null; isStored: boolean }[]): void {
    if (this.known.size >= REMEMBERED_MOST) this.known.clear();
    for (const { brokerId, depth } of rows) {
      if (depth !== null) this.known.set(brokerId, { counted: depth, added: 0 });
    }
    for (const { brokerId, isStored } of rows) {
      const known = this.known.get(brokerId);
      if (known !== undefined && isStored) known.added += 1;
    }
  }
}
