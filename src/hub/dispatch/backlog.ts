import { contractOf, OPS_HELD_TO_ACK, isOp } from '../../protocol/op.js';
import type { Link } from '../registry/link.js';
import type { Claimed, ReadRow } from './claim.repository.js';
import { Outstanding, type OutRow } from './outstanding.js';
import type { Draft } from './draft.js';
import type { Lane } from './state.js';
import { Reading, type Read } from './reading.js';
import { Reserved } from './reserved.js';
import { isPlain, type CommandCopy } from './row-copy.js';
import { sentOf, type Sent } from './sent.js';
import { SparseMap, SparseSet } from './sparse.js';
import { Unacked, UNACKED_BYTES_MOST } from './unacked.js';
import { WaitingRows, type Waiting } from './waiting.js';

/** Pending rows kept in memory a broker; more than it may have, so that no stuck key hides the rows of others. */
const HELD_MOST = 16_384;
/** Past this many the arguments are left in the row, and read after the claim. */
const ARGS_HELD_MOST = 512;
/** A row that could not be claimed is looked at again after this long. */
const REFUSED_REST_MS = 100;
const ACK_WITHIN_MS = 10_000;

/**
 * What the owner keeps in memory of one broker's live rows, to know what to claim next without asking. It is a
 * view that may be stale in every part: the claim decides.
 */
export class Backlog {
  /** Nothing is claimed before the broker's inventory was taken. */
  isReady = false;
  readonly out = new Outstanding();
  private readonly reading: Reading;
  private readonly waiting = new WaitingRows();
  private readonly sent = new Unacked();
  /** Claimed under this link's epoch, and not on its wire yet as far as is known: they go out before anything is claimed. */
  private readonly unsent = new SparseMap<string, Sent>();
  private readonly letGoMeanwhile = new SparseSet<string>();
  /** What is out with the broker is being read. */
  private isJudged = false;
  /** Told of since the latest read began, which may not have seen them. */
  private readonly toldMeanwhile = new SparseSet<string>();
  private readonly reserved = new Reserved();

  /** @param onRows rows came in, or are to be looked for: `isBehind` and `holdsRows` may have become true */
  constructor(
    readonly link: Link,
    private readonly onRows: () => void = () => undefined,
  ) {
    this.reading = new Reading(link.brokerId);
  }

  get brokerId(): string {
    return this.link.brokerId;
  }

  /**
   * The inventory is about to be compared with the rows. What ends from here on may be among those that are found to be out;
   * what ended before is not, and a broker whose inventory never comes keeps nothing of what is told of all.
   */
  judging(): void {
    this.letGoMeanwhile.clear();
    this.isJudged = true;
  }

  /** No row below this `seq` is alive: nothing is read from before it. */
  beginAt(floor: number): void {
    this.reading.beginAt(floor);
  }

  /** What to read next, or undefined where memory holds what there is. */
  nextRead(now: number): Read | undefined {
    const read = this.reading.next(now, this.waiting.size + this.out.size, this.waiting.size < HELD_MOST);
    if (read === undefined) return undefined;
    this.letGoMeanwhile.clear();
    this.toldMeanwhile.clear();
    return read;
  }

  /** Takes the rows of a read. What was let go while it was under way is not taken back. */
  took(rows: readonly ReadRow[], read: Read, now: number): void {
    this.onRows();
    let last = read.afterSeq;
    for (const row of rows) {
      if (row.state === 'pending' && this.waiting.size >= HELD_MOST && !this.waiting.has(row.id)) {
        this.reading.stoppedAt(last);
        return;
      }
      if (!this.letGoMeanwhile.has(row.id)) this.note(row, now);
      last = row.seq;
    }
    this.forgetUnseen(rows, read, rows.length < read.most ? Infinity : last);
    this.reading.took(rows.length, last, read);
  }

  /** What waits where the read has looked, and was not there, was ended by somebody else, unless it came only meanwhile. */
  private forgetUnseen(rows: readonly ReadRow[], { afterSeq }: Read, last: number): void {
    const seen = new Set(rows.map(({ id }) => id));
    for (const { id, seq } of this.waiting.values())
      if (seq > afterSeq && seq <= last && !seen.has(id) && !this.toldMeanwhile.has(id))
        this.waiting.delete(id);
  }

  /** A read did not happen: it is still due. */
  readFailed(read: Read): void {
    this.reading.failed(read);
    this.onRows();
  }

  /** New or requeued rows exist from this `seq` on. */
  woken(seq: number): void {
    this.reading.woken(seq);
    this.onRows();
  }

  /** Takes the copy of a new row, in place of a read. One under another epoch is left to reads. */
  told(id: string, copy: CommandCopy, now: number): void {
    const { seq, op, orderingKey, deadlineS, traceparent, epoch } = copy;
    const isStale = epoch !== null && epoch !== this.link.epoch;
    if (!this.isReady || isStale || this.waiting.size >= HELD_MOST) {
      this.woken(seq);
      return;
    }
    if (this.waiting.has(id) || this.out.has(id) || this.letGoMeanwhile.has(id)) return;
    // It was seen, and has ended: its hint was late.
    if (seq < this.reading.floor) return;
    this.reading.passed(seq);
    this.toldMeanwhile.add(id);
    const args = this.waiting.size + this.unsent.size < ARGS_HELD_MOST ? copy.args : null;
    const row: Waiting = {
      id,
      seq,
      op,
      lane: 'normal',
      orderingKey,
      contract: 'until',
      args,
      argsBytes: copy.argsBytes,
      dueAt: 0,
      restsWithKey: false,
      cancelRequested: false,
      traceparent,
    };
    if (epoch === null) this.waiting.add(row);
    else this.claimedElsewhere(row, 1, now + deadlineS * 1000, now);
    this.onRows();
  }

  /** Reads again everything that may have become visible late. Before the inventory was taken there is nothing to read again. */
  poll(now: number): void {
    if (!this.isReady) return;
    this.reading.poll(now);
    this.onRows();
  }

  /**
   * What was claimed for this link elsewhere and may go out now, in the order in which it was told; nothing while a command
   * of the lane `control` is to be claimed, which overtakes.
   */
  takeUnsent(now: number): Sent[] {
    if (this.unsent.size === 0 || !this.isReady || !this.link.carriesWork) return [];
    const taken: Sent[] = [];
    if (this.candidates(1, now).some(({ lane }) => lane === 'control')) return taken;
    // One place is left for what waits to be claimed, so that others who claim ahead do not hold it up for good.
    const kept = this.waiting.size > 0 && this.link.facts.window > 1 ? 1 : 0;
    for (const sent of this.unsent.values()) {
      if (this.room <= kept) break;
      if (!this.isCapableOf(sent.op)) continue;
      if (sent.argsBytes > this.roomBytes) break;
      sent.sentAt = now;
      this.unsent.delete(sent.id);
      this.sent.add(sent);
      taken.push(sent);
    }
    return taken;
  }

  /** Rows that may go out now, at most so many: `control` first, then the order of `seq`. */
  candidates(most: number, now: number): Waiting[] {
    const room = Math.min(most, this.room);
    if (!this.isReady || room <= 0 || this.waiting.size === 0 || !this.link.carriesWork) return [];
    const keys = new Set<string>();
    const found: Record<Lane, Waiting[]> = { control: [], normal: [], bulk: [] };
    for (const row of this.waiting.inOrder()) {
      const { orderingKey } = row;
      if (row.dueAt > now && !row.restsWithKey) continue;
      const isFree = orderingKey === null || !(keys.has(orderingKey) || this.holdsKey(orderingKey));
      if (orderingKey !== null) keys.add(orderingKey);
      if (isFree && row.dueAt <= now && this.isCapableOf(row.op)) found[row.lane].push(row);
    }
    // What is claimed already goes before all others but those that overtake.
    const kept = this.unsent.size > 0 ? Math.max(1, this.room - this.unsent.size) : this.room;
    const left = Math.max(0, Math.min(room, kept) - found.control.length);
    const control = found.control.slice(0, room);
    return [...control, ...this.fitting([...found.normal, ...found.bulk].slice(0, left), control)];
  }

  /**
   * As many as there is room for by their bytes. None passes another, nor what is claimed already, or small ones would hold up
   * a large one for good; but what overtakes waits for no bytes.
   */
  private fitting(rows: Waiting[], control: readonly Waiting[]): Waiting[] {
    let bytes = this.roomBytes - this.nextUnsentBytes();
    for (const { argsBytes } of control) bytes -= argsBytes;
    const past = rows.findIndex(({ argsBytes }) => (bytes -= argsBytes) < 0);
    return past < 0 ? rows : rows.slice(0, past);
  }

  /**
   * Keeps room and its ordering key for a command that is about to be stored, so that it may be stored as claimed. Where
   * anything waits it may not: it would overtake.
   */
  reserve(draft: Draft): boolean {
    const { id, op, orderingKey, argsBytes } = draft;
    const isIdle = this.waiting.size === 0 && this.unsent.size === 0;
    if (!this.isReady || !this.link.carriesWork || !isIdle || this.room <= 0) return false;
    if (argsBytes > this.roomBytes) return false;
    if (!isPlain(draft) || !this.isCapableOf(op)) return false;
    if (orderingKey !== null && this.holdsKey(orderingKey)) return false;
    this.reserved.add(id, orderingKey, argsBytes);
    return true;
  }

  unreserve(id: string): void {
    this.reserved.remove(id);
  }

  /** What was reserved is stored as claimed: it is about to be sent, unless a read has met it and it has ended since. */
  handed(
    { id, op, lane, orderingKey, contract, args, argsBytes, deadlineS, initiator }: Draft,
    seq: number,
    now: number,
  ): Sent | undefined {
    this.reading.passed(seq);
    if (this.letGoMeanwhile.has(id)) return undefined;
    const row: Waiting = {
      id,
      seq,
      op,
      lane,
      orderingKey,
      contract,
      args,
      argsBytes,
      dueAt: 0,
      restsWithKey: false,
      cancelRequested: false,
      traceparent: initiator.traceparent ?? null,
    };
    const deadlineAt = now + deadlineS * 1000;
    return this.toBeSent(sentOf(row, { attempt: 1, deadlineAt, sentAt: now, claimedAt: now, ageS: 0 }));
  }

  /** A candidate was claimed: it is about to be sent. */
  claimed({ id, attempt, remainingMs, ageS }: Claimed, now: number): Sent | undefined {
    const row = this.waiting.get(id);
    if (row === undefined) return undefined;
    this.waiting.delete(id);
    const deadlineAt = now + remainingMs;
    return this.toBeSent(sentOf(row, { attempt, deadlineAt, sentAt: now, claimedAt: now, ageS }));
  }

  /**
   * A candidate was not claimed, for a reason that only the rows know: they are read again. What comes before it in its key
   * may be a row that was never read, since its wake was lost.
   */
  refused(row: Waiting, now: number): void {
    this.waiting.delete(row.id);
    const from = row.orderingKey === null ? row.seq : Math.min(row.seq, this.reading.floor);
    this.reading.again(from - 1, now + REFUSED_REST_MS);
    this.onRows();
  }

  /** Whether it is the latest of its kind and an earlier one waits still, as one does that is to be sent at a later time. */
  replaces({ seq, orderingKey, contract }: Waiting): boolean {
    if (contract !== 'latest_only') return false;
    return [...this.waiting.values()].some(
      (other) => other.contract === contract && other.orderingKey === orderingKey && other.seq < seq,
    );
  }

  /**
   * The broker's journal has it: it counts in the window no more, and mostly holds its key still.
   *
   * @returns what was sent, for the first ack of the attempt that is out
   */
  acked(id: string, attempt: number): Sent | undefined {
    const sent = this.sent.get(id);
    if (sent?.attempt !== attempt) return undefined;
    this.sent.remove(id);
    return sent;
  }

  /** A hint too. Its row may be claimed already and not known to be: what waits here keeps it for when it is. */
  cancelRequested(id: string): void {
    this.out.cancelRequested(id);
    const row = this.waiting.get(id);
    if (row !== undefined) row.cancelRequested = true;
  }

  /**
   * A hint, mostly of other brokers' rows: one that is not known here leaves no mark, unless what is out is just being read.
   *
   * @returns whether it was known
   */
  ended(id: string): boolean {
    if (!this.isReady && this.isJudged) this.letGoMeanwhile.add(id);
    const isKnown = this.waiting.has(id) || this.out.has(id);
    if (isKnown) this.letGo(id);
    return isKnown;
  }

  /** It ended, or was put back: the key is free. */
  letGo(id: string): void {
    this.letGoMeanwhile.add(id);
    this.sent.remove(id);
    this.unsent.delete(id);
    this.waiting.delete(id);
    this.out.remove(id);
  }

  /** A row that an earlier owner had sent, and that the broker has. */
  adopted(row: OutRow): void {
    if (this.letGoMeanwhile.has(row.id)) return;
    this.waiting.delete(row.id);
    this.out.add(row, !OPS_HELD_TO_ACK.includes(row.op));
  }

  /** Sent rows whose ack is overdue; each is given once a period. */
  overdueAcks(now: number): Sent[] {
    const overdue = [...this.sent.values()].filter(({ sentAt }) => now - sentAt >= ACK_WITHIN_MS);
    for (const sent of overdue) sent.sentAt = now;
    return overdue;
  }

  /** Below this `seq` no row of the broker is alive, as far as this owner can know. */
  get floor(): number {
    return Math.min(this.reading.floor, this.waiting.lowestSeq, this.out.lowestSeq);
  }

  /** Whether there is anything to read, to claim or to send, now or when there is room. */
  get isBehind(): boolean {
    return this.waiting.size > 0 || this.unsent.size > 0 || this.reading.isBehind;
  }

  /** Whether a word on a row may be about one of this broker's: it waits or is out, or is just being looked for. */
  get holdsRows(): boolean {
    return !this.isReady || this.waiting.size > 0 || this.out.size > 0;
  }

  get depth(): { waiting: number; unacked: number; out: number } {
    return { waiting: this.waiting.size + this.unsent.size, unacked: this.sent.size, out: this.out.size };
  }

  /** How many more may be sent before the broker acks. */
  private get room(): number {
    return this.link.facts.window - this.sent.size - this.reserved.size;
  }

  /** How many bytes of arguments more. */
  private get roomBytes(): number {
    return UNACKED_BYTES_MOST - this.sent.bytes - this.reserved.bytes;
  }

  private nextUnsentBytes(): number {
    for (const { op, argsBytes } of this.unsent.values()) if (this.isCapableOf(op)) return argsBytes;
    return 0;
  }

  private holdsKey(key: string): boolean {
    return this.out.holdsKey(key) || this.reserved.holdsKey(key);
  }

  private isCapableOf(op: string): boolean {
    const capability = isOp(op) ? contractOf(op).capability : null;
    return capability === null || this.link.facts.capabilities.includes(capability);
  }

  private note(row: ReadRow, now: number): void {
    const { id, seq, op, lane, orderingKey, contract, state, attempt, restsWithKey, cancelRequested } = row;
    const args = this.waiting.size < ARGS_HELD_MOST ? row.args : null;
    const dueAt = row.restMs === 0 ? 0 : now + row.restMs;
    const { argsBytes, traceparent } = row;
    const kept = {
      id,
      seq,
      op,
      lane,
      orderingKey,
      contract,
      args,
      argsBytes,
      dueAt,
      restsWithKey,
      cancelRequested,
      traceparent,
    };
    const deadlineAt = now + row.remainingMs;
    if (state === 'pending') {
      // One that we sent and that is pending again was put back by somebody.
      if (this.out.has(id)) this.letGo(id);
      this.waiting.add(kept);
      return;
    }
    this.waiting.delete(id);
    if (this.out.isHeld(id, attempt)) {
      if (cancelRequested) this.out.cancelRequested(id);
      this.out.mustEndBy(id, deadlineAt);
      return;
    }
    // A claim that is not known here is one whose answer was lost with its connection, whose hint was, or that an earlier
    // owner made. One that is just being stored here is told by that.
    if (state === 'claimed' && this.reserved.has(id)) {
      this.reading.again(seq - 1, now + REFUSED_REST_MS);
      return;
    }
    if (state === 'claimed') this.claimedElsewhere(kept, attempt, deadlineAt, null);
    else this.out.add({ ...kept, attempt, deadlineAt }, !OPS_HELD_TO_ACK.includes(op));
  }

  private toBeSent(sent: Sent): Sent {
    this.sent.add(sent);
    this.out.add(sent, true);
    this.onRows();
    return sent;
  }

  /** @param claimedAt by this process's clock; null where it is not known */
  private claimedElsewhere(
    row: Waiting,
    attempt: number,
    deadlineAt: number,
    claimedAt: number | null,
  ): void {
    const ageS = claimedAt === null ? null : 0;
    const sent = sentOf(row, { attempt, deadlineAt, sentAt: -Infinity, claimedAt, ageS });
    this.sent.remove(row.id);
    this.unsent.set(row.id, sent);
    this.out.add(sent, true);
  }
}
