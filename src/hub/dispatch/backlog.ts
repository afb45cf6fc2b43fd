import type { JsonObject } from '../../protocol/frame.js';
import type { Link } from '../registry/link.js';
import type { Claimed, ReadRow } from './claim.repository.js';
import type { Lane } from './state.js';

/** Pending rows kept in memory a broker, and how few make the owner read on. */
const HELD_MOST = 512;
const READ_ON_BELOW = 256;
const READ_BATCH = 256;
/** A seq may become visible later than a higher one; after this long it has, or its insert failed. */
const SETTLED_AFTER_MS = 10_000;
/** A row that could not be claimed is looked at again after this long. */
const REFUSED_REST_MS = 100;
const ACK_WITHIN_MS = 10_000;

export type Waiting = {
  id: string;
  seq: number;
  op: string;
  lane: Lane;
  orderingKey: string | null;
  args: JsonObject | null;
};
/** One read of a broker's rows; `wakes` tells whether another wake came while it was under way. */
export type Read = { brokerId: string; afterSeq: number; most: number; wakes: number };
export type Sent = Waiting & { attempt: number; deadlineAt: number; sentAt: number };

/**
 * What the owner keeps in memory of one broker's live rows, to know what to claim next without asking. It is a
 * view that may be stale in every part: the claim decides.
 *
 * Rows are read in the order of `seq` past a cursor. The cursor moves back when a wake names a lower `seq`; and a
 * poll reads again from a floor below which everything was seen more than ten seconds ago.
 */
export class Backlog {
  /** Nothing is claimed before the broker's inventory was taken. */
  isReady = false;
  private readonly waiting = new Map<string, Waiting>();
  /** Claimed, and not yet acked. */
  private readonly sent = new Map<string, Sent>();
  /** Claimed or running: which key each holds. */
  private readonly out = new Map<string, string | null>();
  private readonly keysOut = new Map<string, string>();
  private cursor = 0;
  private seen: { seq: number; at: number }[] = [];
  private floor = 0;
  private hasMore = true;
  private rereadFrom: { seq: number; at: number } | undefined;
  private wakes = 0;
  private readonly letGoMeanwhile = new Set<string>();

  constructor(readonly link: Link) {}

  get brokerId(): string {
    return this.link.brokerId;
  }

  /** What to read next, or undefined where memory holds enough. */
  nextRead(now: number): Read | undefined {
    const { brokerId, wakes } = this;
    if (this.rereadFrom !== undefined && this.rereadFrom.at <= now) {
      const afterSeq = Math.min(this.rereadFrom.seq, this.cursor);
      this.rereadFrom = undefined;
      this.letGoMeanwhile.clear();
      return { brokerId, afterSeq, most: this.waiting.size + this.out.size + READ_BATCH, wakes };
    }
    if (!this.hasMore || this.waiting.size >= READ_ON_BELOW) return undefined;
    this.letGoMeanwhile.clear();
    return { brokerId, afterSeq: this.cursor, most: READ_BATCH, wakes };
  }

  /** Takes the rows of a read. What was let go while it was under way is not taken back. */
  took(rows: readonly ReadRow[], read: Read, now: number): void {
    let last = read.afterSeq;
    for (const row of rows) {
      if (row.state === 'pending' && this.waiting.size >= HELD_MOST && !this.waiting.has(row.id)) {
        this.cursor = Math.min(this.cursor, last);
        this.hasMore = true;
        return;
      }
      if (!this.letGoMeanwhile.has(row.id)) this.note(row, now);
      last = row.seq;
    }
    const sawAll = rows.length < read.most;
    if (!sawAll && last < this.cursor) this.reread(last, 0);
    this.cursor = Math.max(this.cursor, last);
    this.hasMore = !sawAll || this.wakes !== read.wakes;
  }

  /** A read did not happen: it is still due. */
  readFailed(read: Read): void {
    this.reread(read.afterSeq, 0);
    this.hasMore = true;
  }

  /** New or requeued rows exist from this `seq` on. */
  woken(seq: number): void {
    this.wakes += 1;
    this.hasMore = true;
    if (seq <= this.cursor) this.reread(seq - 1, 0);
  }

  /** Reads again everything that may have become visible late. */
  poll(now: number): void {
    this.reread(this.floor, 0);
    this.seen.push({ seq: this.cursor, at: now });
    // Only after the read that is due now may the floor rise to where the cursor was ten seconds ago.
    while (this.seen[0] !== undefined && now - this.seen[0].at > SETTLED_AFTER_MS) {
      this.floor = Math.max(this.floor, this.seen[0].seq);
      this.seen.shift();
    }
  }

  /** Rows that may go out now, at most so many: `control` first, then the order of `seq`. */
  candidates(most: number): Waiting[] {
    const room = Math.min(most, this.link.facts.window - this.sent.size);
    if (!this.isReady || room <= 0 || !this.link.carriesWork) return [];
    const keys = new Set<string>();
    const found: Record<Lane, Waiting[]> = { control: [], normal: [], bulk: [] };
    for (const row of [...this.waiting.values()].sort((a, b) => a.seq - b.seq)) {
      const { orderingKey } = row;
      const isFree = orderingKey === null || !(keys.has(orderingKey) || this.keysOut.has(orderingKey));
      if (orderingKey !== null) keys.add(orderingKey);
      if (isFree) found[row.lane].push(row);
    }
    return [...found.control, ...found.normal, ...found.bulk].slice(0, room);
  }

  /** A candidate was claimed: it is about to be sent. */
  claimed({ id, attempt, remainingMs }: Claimed, now: number): Sent | undefined {
    const row = this.waiting.get(id);
    if (row === undefined) return undefined;
    this.waiting.delete(id);
    const sent = { ...row, attempt, deadlineAt: now + remainingMs, sentAt: now };
    this.sent.set(id, sent);
    this.hold(id, row.orderingKey);
    return sent;
  }

  /** A candidate was not claimed, for a reason that only the rows know: they are read again. */
  refused(row: Waiting, now: number): void {
    this.waiting.delete(row.id);
    this.reread(row.seq - 1, now + REFUSED_REST_MS);
  }

  /** The broker's journal has it: it counts in the window no more, and holds its key still. */
  acked(id: string, attempt: number): void {
    if (this.sent.get(id)?.attempt === attempt) this.sent.delete(id);
  }

  /** A hint, mostly of other brokers' rows: one that is not known here leaves no mark. */
  endedElsewhere(id: string): void {
    if (this.waiting.has(id) || this.out.has(id)) this.letGo(id);
  }

  /** It ended, or was put back: the key is free. */
  letGo(id: string): void {
    this.letGoMeanwhile.add(id);
    this.sent.delete(id);
    this.waiting.delete(id);
    const key = this.out.get(id);
    this.out.delete(id);
    if (key !== undefined && key !== null && this.keysOut.get(key) === id) this.keysOut.delete(key);
  }

  /** A row that an earlier owner had sent, and that the broker has. */
  adopted(id: string, orderingKey: string | null): void {
    this.waiting.delete(id);
    this.hold(id, orderingKey);
  }

  /** Claimed or running rows, for a check whether they still live. */
  get idsOut(): string[] {
    return [...this.out.keys()];
  }

  /** Sent rows whose ack is overdue; each is given once a period. */
  overdueAcks(now: number): Sent[] {
    const overdue = [...this.sent.values()].filter(({ sentAt }) => now - sentAt >= ACK_WITHIN_MS);
    for (const sent of overdue) sent.sentAt = now;
    return overdue;
  }

  /** Milliseconds until something here wants attention by itself. */
  restMs(now: number): number {
    return this.rereadFrom === undefined ? Infinity : Math.max(0, this.rereadFrom.at - now);
  }

  get depth(): { waiting: number; unacked: number; out: number } {
    return { waiting: this.waiting.size, unacked: this.sent.size, out: this.out.size };
  }

  private note(row: ReadRow, now: number): void {
    const { id, seq, op, lane, orderingKey, args, state, attempt } = row;
    if (state !== 'pending') {
      // Only this link claims the broker's rows. A claim that is not known here is one whose answer was lost with
      // its connection, so nothing was sent: it is overdue from the start.
      if (state === 'claimed' && !this.out.has(id)) {
        const lost = { id, seq, op, lane, orderingKey, args, attempt };
        this.sent.set(id, { ...lost, deadlineAt: now + row.remainingMs, sentAt: -Infinity });
      }
      this.adopted(id, orderingKey);
      return;
    }
    // One that we sent and that is pending again was put back by somebody.
    if (this.out.has(id)) this.letGo(id);
    this.waiting.set(id, { id, seq, op, lane, orderingKey, args });
  }

  private hold(id: string, key: string | null): void {
    this.out.set(id, key);
    if (key !== null) this.keysOut.set(key, id);
  }

  private reread(afterSeq: number, at: number): void {
    const { rereadFrom } = this;
    this.rereadFrom =
      rereadFrom === undefined
        ? { seq: afterSeq, at }
        : { seq: Math.min(afterSeq, rereadFrom.seq), at: Math.min(at, rereadFrom.at) };
  }
}
