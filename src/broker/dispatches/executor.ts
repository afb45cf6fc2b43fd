/**
 * Does what the hub asks for, once.
 *
 *   dispatch --journal (fsync)--> ack --its key's turn--> op --journal (fsync)--> result --confirm--> over
 *
 * A dispatch that the journal knows is answered from there: its result again, or its ack while it runs. Work of one
 * key runs one after another; other work side by side, as far as there is room: what its owner's own ops take does not
 * keep the hub's waiting. What was begun before a crash is done again where its op allows that, and is otherwise told
 * as lost. What an earlier life took in and is known not to have begun is begun once the hub is heard, as anything new.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as rest } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Tracer } from '../../tracing/tracer.js';
import { batches } from '../../protocol/batches.js';
import type { DispatchItem, InventoryEntry } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { isOwnOp } from '../../protocol/op.js';
import { deadlineAfter, instantOf, isPast, type Clocks, type Deadline } from '../clocks.js';
import type { Link } from '../connection/link.js';
import type { Journal } from '../journal/journal.js';
import { LOST, takenOf, type Ending, type JournalRecord } from '../journal/record.js';
import { OpFailure, OpInterrupted } from './op-failure.js';
import type { OpContext, OpHandler, OpHandlers } from './ops.js';
import { Progress } from './progress.js';
import { Results, type Wire } from './results.js';
import { Spans } from './spans.js';
import { Turns } from './turns.js';

type Piece = {
  record: JournalRecord;
  deadline: Deadline;
  /** Taken in by an earlier life. */
  isRecovered: boolean;
  /** By which others find this command's lines among those of its request. */
  traceparent?: string | undefined;
};

/** A command between its begin and its end. */
class Work {
  private readonly cancelling = new AbortController();
  /** Cancelled before its op was given it: nothing of it begins any more. */
  isBeingEnded = false;
  /** Given to its op by this life of the broker: until then it is ended by a cancel, or past its deadline. */
  hasStarted = false;

  /**
   * @param mayHaveBegun an earlier life may have given it to its op, as far as is known by now
   * @param isForItsOpToSay whether one did: a cancel waits for that
   */
  constructor(
    public mayHaveBegun: boolean,
    readonly isForItsOpToSay: boolean,
  ) {}

  /** No life has given it to its op, for certain. */
  get isUntouched(): boolean {
    return !this.hasStarted && !this.mayHaveBegun && !this.isForItsOpToSay;
  }

  /** How it ends where this life never gives it to its op: what an earlier one did of it nobody may know. */
  unstarted(ending: Ending): Ending {
    return this.mayHaveBegun ? LOST : ending;
  }

  get signal(): AbortSignal {
    return this.cancelling.signal;
  }

  cancel(): void {
    this.cancelling.abort();
  }
}

const CANCELLED: Ending = { outcome: 'cancelled' };
/** Between two tries to write down what must be, where the disk is full or fails. */
const KEPT_AGAIN_AFTER_MS = 1_000;

export class Executor {
  private readonly turns = new Turns();
  /** At what earlier lives took in, which may be thousands: not all of it is looked at in one moment. */
  private readonly looks = new Turns();
  private readonly results: Results;
  private readonly progress: Progress;
  private readonly spans: Spans;
  /** Being journaled: a repeat that comes meanwhile is answered once that is done. */
  private readonly beginning = new Map<string, Promise<void>>();
  /** Begun and not ended, by this process; what is begun and not in here is lost. */
  private readonly executing = new Map<string, Work>();
  private isStopped = false;
  /** Resolves once the hub has compared its rows with what earlier lives took in. */
  private compared: Promise<void> = Promise.resolve();
  private readonly stopping = new AbortController();
  private readonly stopped = new Promise<void>((resolve) => {
    this.stopping.signal.addEventListener('abort', () => resolve(), { once: true });
  });

  constructor(
    private readonly journal: Journal,
    private readonly handlers: OpHandlers,
    private readonly wire: Wire,
    private readonly clocks: Clocks,
    private readonly log: Logger,
    tracer?: Tracer,
  ) {
    // Each piece of work listens for the stop; that they are many is no leak.
    setMaxListeners(0, this.stopping.signal);
    this.spans = new Spans(tracer);
    this.results = new Results(journal, wire);
    this.progress = new Progress((id) => this.runningAttempt(id), wire);
  }

  /** Takes up what an earlier life of the broker had begun, before the first link. */
  recover(): void {
    this.compared = this.wire.linked();
    for (const { id } of this.journal.unended()) {
      const record = this.journal.find(id);
      if (record === undefined) continue;
      const { op, deadlineAt, isUnstarted = false } = record;
      if (isUnstarted || this.handlers.get(op)?.isRecoverable === true) {
        this.execute({ record, deadline: { wallMs: deadlineAt, monotonicMs: null }, isRecovered: true });
      } else {
        this.log.warn({ dispatchId: id, op }, 'was begun before a crash, and is lost');
      }
    }
  }

  /**
   * What the hub is told when a link opens. What is being written down by then counts once it is: named too soon, it
   * would be told as lost, and left out it would be sent again although it is done.
   */
  async inventory(): Promise<InventoryEntry[]> {
    await Promise.allSettled(this.beginning.values());
    const running = this.journal.unended().map(({ id, attempt }): InventoryEntry => {
      return { id, attempt, status: this.isLost(id) ? 'lost' : 'running' };
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
    if (this.isStopped) return;
    const received = instantOf(this.clocks);
    const repeats: DispatchItem[] = [];
    const fresh = new Map<string, Piece>();
    let ignored = 0;
    for (const item of items) {
      if (this.isKnown(item) || this.beginning.has(item.id) || fresh.has(item.id)) {
        repeats.push(item);
      } else if (isNewest) {
        const deadline = deadlineAfter(received, item.remainingMs);
        const record = recordOf(item, received.wallMs, deadline);
        fresh.set(item.id, { record, deadline, isRecovered: false, traceparent: item.traceparent });
      } else {
        ignored += 1;
      }
    }
    if (ignored > 0) this.log.info({ ignored, epoch: link.epoch }, 'new work on an older link is not begun');
    const beginning = this.begin(link, [...fresh.values()]);
    for (const id of fresh.keys()) this.beginning.set(id, beginning);
    await Promise.all([beginning, this.answer(link, repeats)]);
  }

  /**
   * Ends in peace: what has begun is given up, without an ending, and the next life of the broker takes it up. What has not is
   * written down as such, so that it need not be taken for lost.
   */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.stopping.abort();
    // What is on its way to the journal is acked, and has its turn to be interrupted as well.
    await Promise.allSettled(this.beginning.values());
    await this.turns.idle();
    await this.leaveUntouched();
    this.results.stop();
    this.progress.stop();
  }

  /**
   * Takes cancels from a link. Each is answered by the result of its command, now or when it ends. Must not be awaited
   * in the read loop.
   */
  async cancel(cancels: readonly { id: string; attempt: number }[]): Promise<void> {
    await Promise.all(cancels.map((each) => this.cancelOne(each)));
  }

  /** What runs under a newer attempt, or is about to, is not what was confirmed. */
  async confirmed(ids: readonly string[]): Promise<void> {
    await this.journal.confirm(ids.filter((id) => !this.executing.has(id) && !this.beginning.has(id)));
  }

  /** Tells every result again that the hub has not confirmed, and how far commands have come meanwhile. */
  tellAll(): void {
    this.progress.flush();
    for (const { id } of this.journal.unconfirmed()) this.results.tellAgain(id);
  }

  private async cancelOne({ id, attempt }: { id: string; attempt: number }): Promise<void> {
    // It is judged in one turn with the look that finds nothing of it on its way to the journal: a dispatch of the same
    // read comes right behind, and what it begins between the two would be taken for lost.
    while (this.beginning.has(id)) await this.beginning.get(id)?.catch(() => undefined);
    const work = this.executing.get(id);
    work?.cancel();
    if (work?.hasStarted === false && !work.isForItsOpToSay && !work.isBeingEnded) {
      await this.endUnstarted(id, work);
    } else if (this.isLost(id)) {
      // It may have done anything: that it was stopped is not for this life of the broker to say.
      await this.journal.end(id, LOST);
    } else if (!this.isKnown({ id, attempt })) {
      await this.bury(id, attempt);
    }
    await this.journal.repeated(id, attempt);
    if (!this.executing.has(id)) this.results.tell(id);
  }

  /** What comes of it meanwhile is answered once its tombstone is on disk, as anything that is being begun. */
  private async bury(id: string, attempt: number): Promise<void> {
    const buried = this.journal.begin([tombstoneOf(id, attempt, this.clocks)]);
    const burying = buried.finally(() => this.beginning.delete(id));
    this.beginning.set(id, burying);
    await burying;
  }

  /** Until its ending is on disk it is under way: where the disk does not take it, it is asked for again, and not lost. */
  private async endUnstarted(id: string, work: Work): Promise<void> {
    work.isBeingEnded = true;
    try {
      await this.journal.end(id, work.unstarted(CANCELLED));
      this.executing.delete(id);
    } finally {
      work.isBeingEnded = false;
    }
  }

  private async leaveUntouched(): Promise<void> {
    const untouched = [...this.executing].flatMap(([id, work]) => (work.isUntouched ? [id] : []));
    await this.journal.leaveUnstarted(untouched).catch((error: unknown) => {
      this.log.error(
        { count: untouched.length, err: error },
        'that commands had not begun was not journaled before the broker ended',
      );
    });
  }

  /** The attempt that was sent last, of what is under way. */
  private runningAttempt(id: string): number | undefined {
    return this.executing.has(id) ? this.journal.standing(id)?.attempt : undefined;
  }

  /** Begun, without an ending that can still be learned. */
  private isLost(id: string): boolean {
    return this.journal.standing(id)?.hasEnded === false && !this.executing.has(id);
  }

  /**
   * What was begun and lost counts as not known: if the hub sends it again, it may be repeated. So does, under a newer
   * attempt, what failed in a way that may pass; and what only asks for data, of which the confirmed answer was not kept.
   */
  private isKnown({ id, attempt }: { id: string; attempt: number }): boolean {
    if (this.executing.has(id)) return true;
    const standing = this.journal.standing(id);
    if (standing === undefined || !standing.hasEnded || standing.isBare) return false;
    return !(standing.mayBeRetried && attempt > standing.attempt);
  }

  private async begin(link: Link, pieces: readonly Piece[]): Promise<void> {
    if (pieces.length === 0) return;
    const acks = pieces.map(({ record: { id, attempt } }) => ({ id, attempt }));
    try {
      await this.journal.begin(pieces.map(({ record }) => record));
      for (const part of batches(acks)) link.send({ t: 'ack', acks: part });
      for (const piece of pieces) this.execute(piece);
    } finally {
      for (const { id } of acks) this.beginning.delete(id);
    }
  }

  /** Answers repeats from the journal, for the attempt that was sent last. */
  private async answer(link: Link, repeats: readonly DispatchItem[]): Promise<void> {
    await Promise.allSettled(repeats.flatMap(({ id }) => this.beginning.get(id) ?? []));
    const known = repeats.filter((item) => this.isKnown(item));
    await Promise.all(known.map(({ id, attempt }) => this.journal.repeated(id, attempt)));
    const acks = known.map(({ id, attempt }) => ({ id, attempt }));
    for (const part of batches(acks)) link.send({ t: 'ack', acks: part });
    for (const { id } of known) this.results.tell(id);
  }

  private execute(piece: Piece): void {
    const { id, key, op, isUnstarted = false } = piece.record;
    const mayHaveBegun = piece.isRecovered && !isUnstarted;
    const work = new Work(mayHaveBegun, mayHaveBegun && this.handlers.get(op)?.wasBegun !== undefined);
    this.executing.set(id, work);
    const ready = piece.isRecovered ? () => this.untilTakenUp(piece, work) : undefined;
    const turn = async () => {
      // Cancelled while it waited: its ending is in the journal, or on the way there.
      if (work.isBeingEnded || this.executing.get(id) !== work) return;
      const ending = await this.endingOf(piece, work);
      if (this.executing.get(id) !== work) return;
      await this.keep(piece, ending);
      this.executing.delete(id);
      this.results.tell(id);
    };
    this.turns.run(key, isOwnOp(op) ? 'own' : 'hub', turn, ready).catch((error: unknown) => {
      if (error instanceof OpInterrupted) return;
      // It stays begun, and the next life of the broker judges it.
      this.executing.delete(id);
      this.log.error(
        { ...aboutOf(piece), err: error },
        'an ending was not journaled before the broker ended',
      );
    });
  }

  /**
   * What an earlier life began goes on, hub or not: its run is there. All else that one took in waits for the hub, which may not want
   * it any more, and takes up no room meanwhile that others need to go on.
   */
  private async untilTakenUp(piece: Piece, work: Work): Promise<void> {
    let wasBegun = false;
    const look = async () => void (wasBegun = await this.wasBegun(piece, work));
    if (work.isForItsOpToSay) await this.looks.run(null, 'hub', look);
    if (wasBegun) return;
    await Promise.race([this.compared, this.stopped]);
  }

  /** Whether an earlier life began it, as its op says. Where that cannot be read just now, one may have. */
  private async wasBegun(piece: Piece, work: Work): Promise<boolean> {
    const { op, args } = piece.record;
    const said = await this.handlers
      .get(op)
      ?.wasBegun?.(args)
      .catch((error: unknown) => {
        this.log.warn({ ...aboutOf(piece), err: error }, 'whether an op was begun could not be read');
        return undefined;
      });
    work.mayHaveBegun = said !== false;
    return said === true;
  }

  /** What dies once its op is given it may have begun it: nothing on disk may say otherwise by then. */
  private async takeBack(piece: Piece): Promise<void> {
    const start = () => this.journal.start(piece.record.id);
    const otherwise = 'the start of a command could not be journaled: it is tried again';
    await this.journaled(piece, start, otherwise).catch(() => {
      throw new OpInterrupted();
    });
  }

  /** Until its ending is on disk nobody else knows what came of a command; meanwhile it is under way. */
  private async keep(piece: Piece, ending: Ending): Promise<void> {
    const end = () => this.journal.end(piece.record.id, ending);
    await this.journaled(piece, end, 'an ending could not be journaled: it is tried again');
  }

  /**
   * What the disk does not take is tried again and again.
   *
   * @throws where this life of the broker ends first
   */
  private async journaled(piece: Piece, write: () => Promise<void>, otherwise: string): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      try {
        await write();
        return;
      } catch (error) {
        if (this.isStopped) throw error;
        if (tries === 1) this.log.error({ ...aboutOf(piece), err: error }, otherwise);
      }
      await rest(KEPT_AGAIN_AFTER_MS, undefined, { signal: this.stopping.signal }).catch(() => undefined);
    }
  }

  private async endingOf(piece: Piece, work: Work): Promise<Ending> {
    const { record, deadline } = piece;
    const { op } = record;
    if (this.isStopped) throw new OpInterrupted();
    const mayBegin = () => !work.signal.aborted && !isPast(deadline, instantOf(this.clocks));
    const wasBegun = work.isForItsOpToSay && (await this.wasBegun(piece, work));
    if (!wasBegun) {
      if (record.isUnstarted === true) await this.takeBack(piece);
      // A machine that slept must not carry out yesterday's orders on waking: first the hub is heard of again.
      await this.untilHubIsHeard();
      if (work.signal.aborted) return work.unstarted(CANCELLED);
      if (!mayBegin())
        return work.unstarted(failed('deadline_passed', 'The deadline passed before it was begun.'));
    }
    if (this.isStopped) throw new OpInterrupted();
    // Looked for no sooner: it may have been added since this life began.
    const handler = this.handlers.get(op);
    if (handler === undefined) return failed('op_unknown', `This broker does not know the op ${op}.`);
    work.hasStarted = true;
    this.log.debug(aboutOf(piece), 'began an op');
    return this.spans.around(record, piece.traceparent, (traceparent) =>
      this.handled(handler, piece, work, { mayBegin, traceparent }),
    );
  }

  private async handled(
    handler: OpHandler,
    piece: Piece,
    work: Work,
    given: Pick<OpContext, 'mayBegin' | 'traceparent'>,
  ): Promise<Ending> {
    const { id, args } = piece.record;
    try {
      const body = await handler.handle(args, {
        ...given,
        signal: work.signal,
        stopping: this.stopping.signal,
        progress: (told) => this.progress.tell(id, told),
      });
      if (Buffer.byteLength(JSON.stringify(body)) > LIMITS.resultBytes) {
        return failed('result_too_large', `The result has more than ${LIMITS.resultBytes} bytes.`);
      }
      return { outcome: 'succeeded', body };
    } catch (error) {
      if (error instanceof OpInterrupted) throw error;
      if (error instanceof OpFailure) return this.failureOf(error, work);
      this.log.error({ ...aboutOf(piece), err: error }, 'an op failed');
      return failed('op_failed', error instanceof Error ? error.message : 'The op failed.');
    }
  }

  /** An op that was told to stop, and came to nothing for that, was cancelled. */
  private failureOf({ code, message, retryable }: OpFailure, { signal }: Work): Ending {
    const isCancelled = signal.aborted && (code === 'cancelled' || code === 'deadline_passed');
    return isCancelled ? CANCELLED : failed(code, message, retryable);
  }

  private async untilHubIsHeard(): Promise<void> {
    while (!this.wire.links().some((link) => link.isOpen && link.liveness.isFresh())) {
      await Promise.race([this.wire.linked(), this.stopped]);
      if (this.isStopped) throw new OpInterrupted();
    }
  }
}

/** What each line about a command says of it. */
function aboutOf({ record: { id, op }, traceparent }: Piece) {
  return { dispatchId: id, op, ...(traceparent === undefined ? {} : { traceparent }) };
}

function recordOf(
  { id, attempt, op, args, key }: DispatchItem,
  begunAt: number,
  { wallMs }: Deadline,
): JournalRecord {
  return { id, attempt, op, args, key, begunAt, deadlineAt: wallMs, ending: null, confirmedAt: null };
}

/** Of a command that was cancelled before it came: it is never begun. */
function tombstoneOf(id: string, attempt: number, clocks: Clocks): JournalRecord {
  const { wallMs } = instantOf(clocks);
  const known = { id, attempt, op: 'unknown', args: {}, key: null, begunAt: wallMs, deadlineAt: wallMs };
  return { ...known, ending: CANCELLED, confirmedAt: null };
}

function failed(code: string, message: string, retryable = false): Ending {
  return { outcome: 'failed', error: takenOf({ code, message, retryable }) };
}
