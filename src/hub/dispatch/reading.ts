const READ_BATCH = 256;
/** A seq may become visible later than a higher one; after this long it has, or its insert failed. */
const SETTLED_AFTER_MS = 10_000;
/** Once in this long everything is read, whatever the floor says: nothing may stay unseen for good. */
const FULL_EVERY_MS = 600_000;

/** One read of a broker's rows; `wakes` tells whether another wake came while it was under way. */
export type Read = { brokerId: string; afterSeq: number; most: number; wakes: number };

/**
 * Where the owner's read-ahead of one broker stands.
 *
 * Rows are read in the order of `seq` past a cursor. The cursor moves back when a wake names a lower `seq`; and a
 * poll reads again from a floor below which everything was seen more than ten seconds ago.
 */
export class Reading {
  private cursor = 0;
  private settled = 0;
  private seen: { seq: number; at: number }[] = [];
  private hasMore = true;
  private againFrom: { seq: number; at: number } | undefined;
  private wakes = 0;
  private readInFullAt: number | undefined;
  private isFullDue = false;
  /** After which `seq` the read that is under way would look if it were not of everything. */
  private insteadOfAll: number | undefined;
  /** After which `seq` the read that is under way looks; there is one at a time. */
  private underWay: number | undefined;
  /** The lowest `seq` of the wakes that came while it was: it may have looked before that row was there. */
  private wokenMeanwhile = Infinity;

  constructor(private readonly brokerId: string) {}

  beginAt(floor: number): void {
    this.cursor = Math.max(0, floor - 1);
    this.settled = this.cursor;
  }

  /**
   * @param known rows in memory, which a read that goes back meets again
   * @param hasRoom whether memory takes more
   */
  next(now: number, known: number, hasRoom: boolean): Read | undefined {
    const read = this.due(now, known, hasRoom);
    this.underWay = read?.afterSeq;
    this.wokenMeanwhile = Infinity;
    return read;
  }

  /** A read gave so many rows, up to this `seq`. */
  took(count: number, last: number, read: Read): void {
    this.underWay = undefined;
    const sawAll = count < read.most;
    if (!sawAll && last < this.cursor) this.again(last, 0);
    this.cursor = Math.max(this.cursor, last);
    if (this.wokenMeanwhile <= this.cursor) this.again(this.wokenMeanwhile - 1, 0);
    this.hasMore = !sawAll || this.wakes !== read.wakes;
  }

  /** Memory is full: what comes after this `seq` is read once there is room. */
  stoppedAt(last: number): void {
    this.underWay = undefined;
    this.cursor = Math.min(this.cursor, last);
    this.hasMore = true;
  }

  /** One of everything comes again at its time: it may take longer than a statement may, and is not to hold up what is alive. */
  failed(read: Read): void {
    this.underWay = undefined;
    this.again(this.insteadOfAll ?? read.afterSeq, 0);
    this.hasMore = true;
  }

  woken(seq: number): void {
    this.wakes += 1;
    this.hasMore = true;
    if (this.underWay !== undefined) this.wokenMeanwhile = Math.min(this.wokenMeanwhile, seq);
    if (seq <= this.cursor) this.again(seq - 1, 0);
  }

  /** This replica has stored a row itself: where nothing before it is unread, it need not be read either. */
  passed(seq: number): void {
    if (this.hasMore || this.againFrom !== undefined || this.underWay !== undefined) return;
    this.cursor = Math.max(this.cursor, seq);
  }

  poll(now: number): void {
    this.readInFullAt ??= now;
    if (now - this.readInFullAt >= FULL_EVERY_MS) {
      this.readInFullAt = now;
      this.isFullDue = true;
    }
    this.again(this.settled, 0);
    this.seen.push({ seq: this.cursor, at: now });
    // Only after the read that is due now may the floor rise to where the cursor was ten seconds ago.
    while (this.seen[0] !== undefined && now - this.seen[0].at > SETTLED_AFTER_MS) {
      this.settled = Math.max(this.settled, this.seen[0].seq);
      this.seen.shift();
    }
  }

  again(afterSeq: number, at: number): void {
    const { againFrom } = this;
    this.againFrom =
      againFrom === undefined
        ? { seq: afterSeq, at }
        : { seq: Math.min(afterSeq, againFrom.seq), at: Math.min(at, againFrom.at) };
  }

  /** Whether something is to be read, if not at once. */
  get isBehind(): boolean {
    return this.hasMore || this.againFrom !== undefined;
  }

  /** Rows below this `seq` were all seen, and none of them is still to be read. */
  get floor(): number {
    const unread = Math.min(this.againFrom?.seq ?? Infinity, this.underWay ?? Infinity);
    return Math.min(this.settled, this.cursor, unread) + 1;
  }

  private due(now: number, known: number, hasRoom: boolean): Read | undefined {
    const { brokerId, wakes, isFullDue } = this;
    this.insteadOfAll = undefined;
    if (this.againFrom !== undefined && this.againFrom.at <= now) {
      const from = Math.min(this.againFrom.seq, this.cursor);
      this.againFrom = undefined;
      this.isFullDue = false;
      if (isFullDue) this.insteadOfAll = from;
      return { brokerId, afterSeq: isFullDue ? 0 : from, most: known + READ_BATCH, wakes };
    }
    if (!this.hasMore || !hasRoom) return undefined;
    return { brokerId, afterSeq: this.cursor, most: READ_BATCH, wakes };
  }
}
