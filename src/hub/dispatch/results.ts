import { Injectable, Logger } from '@nestjs/common';
import { batches } from '../../protocol/batches.js';
import type { ResultItem } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { Replica } from '../cluster/replica.js';
import { Group } from '../lifecycle/group.js';
import { CodedError } from '../problems/coded.error.js';
import type { Link } from '../registry/link.js';
import { Contracts } from './contracts.js';
import { Endings } from './endings.js';
import { Backlogs } from './backlogs.js';
import { Owners } from './owners.js';
import {
  SettleRepository,
  stateAfterWord,
  type Ending,
  type Settled,
  type Settlement,
  type Standing,
  type Word,
} from './settle.repository.js';
import { isTellable, type OutcomeCopy } from './row-copy.js';
import { hasEnded } from './state.js';
import { Steps, type LateResult } from './steps.js';

const BATCH = 512;
const RETRY_MS = 500;
/** How long an ack waits for its result before it is written. */
const ACK_REST_MS = 25;
/** What is confirmed within this time goes in one frame: nobody waits for it but the broker's journal. */
const CONFIRM_REST_MS = 25;

type Ack = { id: string; attempt: number };

/**
 * What became of a result. Where the row lives on, since it is done again or was sent under a newer attempt, the
 * result is not confirmed: the broker keeps it until the command has its end.
 */
type Outcome = 'settled' | 'repeated' | 'late' | 'unknown' | 'stale' | 'retried';
const LIVES_ON: readonly (Outcome | undefined)[] = ['stale', 'retried', undefined];

/**
 * Takes the broker's words, acks and results, into the rows. A result is confirmed only when its ending is
 * committed; while the database is away results wait here, and a link that ends meanwhile brings them again.
 */
@Injectable()
export class Results {
  private readonly log = new Logger('dispatch');
  /** By `restingKey`: what one broker names is no word on the ack of another. */
  private readonly restingAcks = new Map<string, { link: Link; ack: Ack }>();
  private restTimer: NodeJS.Timeout | undefined;
  private readonly confirmed = new Map<Link, string[]>();
  private confirmTimer: NodeJS.Timeout | undefined;
  private readonly acks = new Group<Word, true>((words) => this.writeAcks(words), BATCH);
  private readonly settlements = new Group<Settlement, Outcome>((batch) => this.settle(batch), BATCH);

  constructor(
    private readonly repository: SettleRepository,
    private readonly backlogs: Backlogs,
    private readonly endings: Endings,
    private readonly owners: Owners,
    private readonly contracts: Contracts,
    private readonly steps: Steps,
    private readonly replica: Replica,
  ) {}

  /**
   * The broker has them, whatever becomes of the writing: they are not sent again on this link. Most results follow
   * at once and make the ack's own write needless, so it rests for a moment; where the next command of a key waits for
   * the ack, it is written at once.
   */
  acked(link: Link, acks: readonly Ack[]): void {
    const urgent = new Set(this.backlogs.acked(link.brokerId, acks));
    for (const ack of acks) {
      if (urgent.has(ack))
        void this.writeAck(link, ack).then(() => this.backlogs.freeKeys(link.brokerId, [ack.id]));
      else this.restingAcks.set(restingKey(link.brokerId, ack.id), { link, ack });
    }
    this.restTimer ??= setTimeout(() => this.writeRestingAcks(), ACK_REST_MS);
  }

  private writeRestingAcks(): void {
    this.restTimer = undefined;
    for (const { link, ack } of this.restingAcks.values()) void this.writeAck(link, ack);
    this.restingAcks.clear();
  }

  private async writeAck(link: Link, ack: Ack): Promise<void> {
    await untilDone(link, () => this.acks.add({ ...ack, brokerId: link.brokerId }));
  }

  async took(link: Link, results: readonly ResultItem[]): Promise<void> {
    const { brokerId } = link;
    this.steps.tell('answered', results);
    for (const { id } of results) this.restingAcks.delete(restingKey(brokerId, id));
    const settled = await Promise.all(
      results.map(async (item) => {
        const settlement = settlementOf(brokerId, item);
        return { id: item.id, outcome: await untilDone(link, () => this.settlements.add(settlement)) };
      }),
    );
    const over = settled.filter(({ outcome }) => !LIVES_ON.includes(outcome)).map(({ id }) => id);
    this.backlogs.letGo(brokerId, over);
    this.confirm(link, over);
  }

  private confirm(link: Link, ids: readonly string[]): void {
    if (ids.length === 0) return;
    const waiting = this.confirmed.get(link);
    if (waiting === undefined) this.confirmed.set(link, [...ids]);
    else waiting.push(...ids);
    this.confirmTimer ??= setTimeout(() => this.sendConfirmed(), CONFIRM_REST_MS);
  }

  private sendConfirmed(): void {
    clearTimeout(this.confirmTimer);
    this.confirmTimer = undefined;
    for (const [link, all] of this.confirmed)
      for (const ids of batches(all)) link.send({ t: 'confirm', ids });
    this.confirmed.clear();
  }

  /** The hub's own word on a command that it claimed and knows it never sent. */
  async refuse(brokerId: string, item: ResultItem): Promise<void> {
    try {
      await this.settlements.add(settlementOf(brokerId, item));
      this.backlogs.letGo(brokerId, [item.id]);
    } catch {
      // Logged with the statement; its ack stays overdue, and so it comes here again.
    }
  }

  /** Resolves when no word waits to be written. An ack that rests is not written any more: the inventory tells it. */
  async idle(): Promise<void> {
    clearTimeout(this.restTimer);
    this.restingAcks.clear();
    await Promise.all([this.acks.idle(), this.settlements.idle()]);
    this.sendConfirmed();
  }

  private async writeAcks(words: Word[]): Promise<true[]> {
    try {
      this.replica.assertMayAct();
      await this.repository.ack(words, this.replica.id);
      this.steps.batch('ack', words.length);
      return words.map(() => true);
    } catch (error) {
      this.log.warn({ count: words.length, err: error }, 'acks could not be written; they wait');
      throw error;
    }
  }

  private async settle(batch: Settlement[]): Promise<(Outcome | Error)[]> {
    try {
      this.replica.assertMayAct();
      return await this.settleTogether(batch);
    } catch (error) {
      // A row that the database refuses must not hold up those that share its statement.
      if (batch.length > 1 && !(error instanceof CodedError)) return this.settleOneByOne(batch);
      this.log.warn({ count: batch.length, err: error }, 'results could not be settled; they wait');
      throw error;
    }
  }

  private async settleOneByOne(batch: Settlement[]): Promise<(Outcome | Error)[]> {
    const outcomes: (Outcome | Error)[] = [];
    for (const settlement of batch) {
      outcomes.push(...(await this.settle([settlement]).catch((error: Error) => [error])));
    }
    return outcomes;
  }

  private async settleTogether(batch: Settlement[]): Promise<Outcome[]> {
    const rows = await this.repository.settle(batch, this.replica.id);
    this.steps.batch('settle', batch.length);
    this.endings.committed(
      rows.filter((row): row is Ending & Settled => hasEnded(row.state)),
      outcomesOf(batch, rows),
    );
    this.putBack(rows.filter(({ state }) => !hasEnded(state)));
    const settled = new Map(
      rows.map(({ id, state }): [string, Outcome] => [id, hasEnded(state) ? 'settled' : 'retried']),
    );
    const others = batch.filter(({ id }) => !settled.has(id));
    const judged = others.length === 0 ? new Map<string, Outcome>() : await this.judge(others);
    return batch.map(({ id }) => settled.get(id) ?? judged.get(id) ?? 'unknown');
  }

  /** They go out again after a rest, from here or where the broker has moved to. */
  private putBack(rows: readonly Settled[]): void {
    this.steps.tell('retried', rows);
    for (const { id, brokerId, seq } of rows) {
      this.backlogs.letGo(brokerId, [id]);
      this.backlogs.wake(brokerId, seq);
    }
    this.owners.putBack(rows);
    void this.contracts.putBack(rows);
  }

  /** Why words did not fit their rows; read anew, since a row may have moved since the settling began. */
  private async judge(words: readonly Settlement[]): Promise<Map<string, Outcome>> {
    const standings = new Map(
      (await this.repository.standings(words.map(({ id }) => id))).map((row) => [row.id, row]),
    );
    const judged = new Map(words.map((word) => [word.id, outcomeOf(word, standings.get(word.id))]));
    const late = words.filter(({ id }) => judged.get(id) === 'late');
    if (late.length > 0) {
      this.log.warn(
        { dispatches: late.map(({ id }) => id) },
        'results came after their dispatches had ended',
      );
      await this.repository.noteLate(late);
      this.steps.tell('late', lateOf(late, standings));
    }
    return judged;
  }
}

function restingKey(brokerId: string, id: string): string {
  return `${brokerId} ${id}`;
}

/**
 * Of rows that ended just as their brokers said, what is told to those who wait for them. Where several words came for one
 * command only the row knows which of them counted.
 */
function outcomesOf(batch: readonly Settlement[], rows: readonly Settled[]): Map<string, OutcomeCopy> {
  const said = new Map<string, Settlement | null>();
  for (const word of batch) said.set(word.id, said.has(word.id) ? null : word);
  const outcomes = new Map<string, OutcomeCopy>();
  for (const { id, brokerId, state, attempt, claimedBy, claimEpoch, endedAtMs } of rows) {
    const word = said.get(id) ?? null;
    if (word === null || word.brokerId !== brokerId || word.attempt !== attempt) continue;
    if (claimedBy === null || claimEpoch === null || endedAtMs === null) continue;
    if (!hasEnded(state) || state !== stateAfterWord(word.said)) continue;
    const { result, error } = word;
    const copy = { state, attempt, claimedBy, claimEpoch, endedAtMs, result, error };
    if (isTellable(copy)) outcomes.set(id, copy);
  }
  return outcomes;
}

function lateOf(late: readonly Settlement[], standings: ReadonlyMap<string, Standing>): LateResult[] {
  return late.flatMap(({ id, attempt }) => {
    const standing = standings.get(id);
    return standing === undefined ? [] : [{ id, attempt, op: standing.op, lane: standing.lane }];
  });
}

/** @returns undefined where the link ended first: the broker tells it again on its next one */
async function untilDone<T>(link: Link, write: () => Promise<T>): Promise<T | undefined> {
  while (link.isOpen) {
    try {
      return await write();
    } catch {
      // Logged once for all that share the statement.
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS * (0.5 + Math.random())));
    }
  }
  return undefined;
}

function settlementOf(brokerId: string, item: ResultItem): Settlement {
  const { id, attempt } = item;
  if (sizeOf(contentOf(item)) > LIMITS.resultBytes) {
    const what = item.outcome === 'failed' ? "The data of the command's error" : 'The result';
    const message = `${what} has more than ${LIMITS.resultBytes} bytes.`;
    const error = { code: 'result_too_large', message, retryable: false };
    return { id, brokerId, attempt, said: 'fail', result: null, error };
  }
  switch (item.outcome) {
    case 'succeeded':
      return { id, brokerId, attempt, said: 'succeed', result: item.body, error: null };
    case 'failed': {
      const said = item.error.retryable ? 'retry' : 'fail';
      return { id, brokerId, attempt, said, result: null, error: item.error };
    }
    case 'cancelled':
      return { id, brokerId, attempt, said: 'cancel', result: null, error: null };
  }
}

/** The one part of a result that has no cap of its own in the protocol. */
function contentOf(item: ResultItem): unknown {
  if (item.outcome === 'succeeded') return item.body;
  return item.outcome === 'failed' ? item.error.data : null;
}

/** Infinite where it is nested so deep that it cannot be written at all. */
function sizeOf(body: unknown): number {
  try {
    return Buffer.byteLength(JSON.stringify(body ?? null));
  } catch (error) {
    if (error instanceof RangeError) return Infinity;
    throw error;
  }
}

/** A word for a row that was already settled by the same word is a repeat; one for any other ending is late. */
function outcomeOf(word: Settlement, row: Standing | undefined): Outcome {
  if (row === undefined || row.brokerId !== word.brokerId) return 'unknown';
  if (!hasEnded(row.state)) return 'stale';
  const { said, error } = word;
  const isSameEnd =
    row.state === stateAfterWord(said)
      ? row.errorCode === (error?.code ?? null)
      : (said === 'retry' && row.state === 'dead') ||
        (said === 'cancel' && row.errorCode === 'deadline_passed');
  return row.attempt === word.attempt && isSameEnd ? 'repeated' : 'late';
}
