/**
 * Does what the hub asks for, once.
 *
 *   dispatch --journal (fsync)--> ack --its key's turn--> op --journal (fsync)--> result --confirm--> over
 *
 * A dispatch that the journal knows is answered from there: its result again, or its ack while it runs. Work of one
 * key runs one after another; other work side by side, as far as there is room. What was begun before a crash is
 * done again where its op allows that, and is otherwise told as lost.
 */
import type { Logger } from 'pino';
import { batches } from '../../protocol/batches.js';
import type { DispatchItem, InventoryEntry } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { deadlineAfter, instantOf, isPast, type Clocks, type Deadline } from '../clocks.js';
import type { Link } from '../connection/link.js';
import type { Journal } from '../journal/journal.js';
import type { Ending, JournalRecord } from '../journal/record.js';
import { OpFailure } from './op-failure.js';
import type { OpHandlers } from './ops.js';
import { Results, type Wire } from './results.js';
import { Turns } from './turns.js';

type Piece = { record: JournalRecord; deadline: Deadline; isRecovered: boolean };

export class Executor {
  private readonly turns = new Turns();
  private readonly results: Results;
  /** Being journaled: a repeat that comes meanwhile is answered once that is done. */
  private readonly beginning = new Set<string>();
  /** Begun and not ended, by this process; what is begun and not in here is lost. */
  private readonly executing = new Set<string>();

  constructor(
    private readonly journal: Journal,
    private readonly handlers: OpHandlers,
    private readonly wire: Wire,
    private readonly clocks: Clocks,
    private readonly log: Logger,
  ) {
    this.results = new Results(journal, wire);
  }

  /** Takes up what an earlier life of the broker had begun, before the first link. */
  recover(): void {
    for (const record of this.journal.unended()) {
      const { id, op, deadlineAt } = record;
      if (this.handlers.get(op)?.isRecoverable === true) {
        this.execute({ record, deadline: { wallMs: deadlineAt, monotonicMs: null }, isRecovered: true });
      } else {
        this.log.warn({ dispatchId: id, op }, 'was begun before a crash, and is lost');
      }
    }
  }

  /** What the hub is told when a link opens. */
  inventory(): InventoryEntry[] {
    const running = this.journal.unended().map(({ id, attempt }): InventoryEntry => {
      return { id, attempt, status: this.executing.has(id) ? 'running' : 'lost' };
    });
    const ended = this.journal
      .unconfirmed()
      .map(({ id, attempt }): InventoryEntry => ({ id, attempt, status: 'ended' }));
    return [...running, ...ended];
  }

  /**
   * Takes dispatches from a link. Must not be awaited in the read loop.
   *
   * @param isNewest only then may anything new be begun
   */
  async take(link: Link, items: readonly DispatchItem[], isNewest: boolean): Promise<void> {
    const received = instantOf(this.clocks);
    const known = items.filter(({ id }) => this.isKnown(id));
    const fresh = items
      .filter(({ id }) => isNewest && !this.isKnown(id) && !this.beginning.has(id))
      .map((item): Piece => {
        const deadline = deadlineAfter(received, item.remainingMs);
        return { record: recordOf(item, received.wallMs, deadline), deadline, isRecovered: false };
      });
    await this.begin(fresh.map(({ record }) => record));
    await Promise.all(known.map(({ id, attempt }) => this.journal.repeated(id, attempt)));
    const acks = [...known, ...fresh.map(({ record }) => record)].map(({ id, attempt }) => ({ id, attempt }));
    for (const part of batches(acks)) link.send({ t: 'ack', acks: part });
    for (const piece of fresh) this.execute(piece);
    for (const { id } of known) this.results.tell(id);
  }

  async confirmed(ids: readonly string[]): Promise<void> {
    await this.journal.confirm(ids);
  }

  /** Tells every result again that the hub has not confirmed. */
  tellAll(): void {
    for (const { id } of this.journal.unconfirmed()) this.results.tell(id);
  }

  /** What was begun and lost counts as not known: if the hub sends it again, it may be repeated. */
  private isKnown(id: string): boolean {
    const record = this.journal.find(id);
    return record !== undefined && (record.ending !== null || this.executing.has(id));
  }

  private async begin(records: JournalRecord[]): Promise<void> {
    if (records.length === 0) return;
    for (const { id } of records) this.beginning.add(id);
    try {
      await this.journal.begin(records);
    } finally {
      for (const { id } of records) this.beginning.delete(id);
    }
  }

  private execute(piece: Piece): void {
    const { id, key } = piece.record;
    this.executing.add(id);
    const work = async () => {
      await this.journal.end(id, await this.endingOf(piece));
      this.executing.delete(id);
      this.results.tell(id);
    };
    this.turns.run(key, work).catch((error: unknown) => {
      // The journal did not take the ending: it stays begun, and the next life of the broker judges it.
      this.executing.delete(id);
      this.log.error({ dispatchId: id, err: error }, 'an ending could not be journaled');
    });
  }

  private async endingOf({ record, deadline, isRecovered }: Piece): Promise<Ending> {
    const { id, op, args } = record;
    const handler = this.handlers.get(op);
    if (handler === undefined) return failed('op_unknown', `This broker does not know the op ${op}.`);
    // A machine that slept must not carry out yesterday's orders on waking: first the hub is heard of again.
    if (!isRecovered) await this.untilHubIsHeard();
    const mayBegin = () => !isPast(deadline, instantOf(this.clocks));
    // What an earlier life had begun is judged by its op, which knows how far it came.
    if (!isRecovered && !mayBegin())
      return failed('deadline_passed', 'The deadline passed before it was begun.');
    try {
      const body = await handler.handle(args, { mayBegin });
      if (Buffer.byteLength(JSON.stringify(body)) > LIMITS.resultBytes) {
        return failed('result_too_large', `The result has more than ${LIMITS.resultBytes} bytes.`);
      }
      return { outcome: 'succeeded', body };
    } catch (error) {
      if (error instanceof OpFailure) return failed(error.code, error.message, error.retryable);
      this.log.error({ dispatchId: id, op, err: error }, 'an op failed');
      return failed('op_failed', error instanceof Error ? error.message.slice(0, 1_000) : 'The op failed.');
    }
  }

  private async untilHubIsHeard(): Promise<void> {
    while (!this.wire.links().some((link) => link.isOpen && link.liveness.isFresh()))
      await this.wire.linked();
  }
}

function recordOf(
  { id, attempt, op, args, key }: DispatchItem,
  begunAt: number,
  { wallMs }: Deadline,
): JournalRecord {
  return { id, attempt, op, args, key, begunAt, deadlineAt: wallMs, ending: null, confirmedAt: null };
}

function failed(code: string, message: string, retryable = false): Ending {
  return { outcome: 'failed', error: { code, message, retryable } };
}
