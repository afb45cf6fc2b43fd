import { Injectable, Logger } from '@nestjs/common';
import { batches } from '../../protocol/batches.js';
import type { ResultItem } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { Replica } from '../cluster/replica.js';
import { Group } from '../lifecycle/group.js';
import { CodedError } from '../problems/coded.error.js';
import type { Link } from '../registry/link.js';
import { Endings } from './endings.js';
import { Reconciler } from './reconciler.js';
import { SettleRepository, type Settlement, type Standing, type Word } from './settle.repository.js';
import { hasEnded, stateAfter, type EndedState } from './state.js';

const BATCH = 512;
const RETRY_MS = 500;

/** What became of a result: the first three may be confirmed, so that the broker can forget it. */
type Outcome = 'settled' | 'repeated' | 'late' | 'unknown' | 'stale';

/**
 * Takes the broker's words, acks and results, into the rows. A result is confirmed only when its ending is
 * committed; while the database is away results wait here, and a link that ends meanwhile brings them again.
 */
@Injectable()
export class Results {
  private readonly log = new Logger('dispatch');
  private readonly acks = new Group<Word, true>((words) => this.writeAcks(words), BATCH);
  private readonly settlements = new Group<Settlement, Outcome>((batch) => this.settle(batch), BATCH);

  constructor(
    private readonly repository: SettleRepository,
    private readonly reconciler: Reconciler,
    private readonly endings: Endings,
    private readonly replica: Replica,
  ) {}

  /** The broker has them, whatever becomes of the writing: they are not sent again on this link. */
  async acked(link: Link, acks: readonly { id: string; attempt: number }[]): Promise<void> {
    const { brokerId } = link;
    this.reconciler.acked(brokerId, acks);
    await Promise.all(acks.map((ack) => untilDone(link, () => this.acks.add({ ...ack, brokerId }))));
  }

  async took(link: Link, results: readonly ResultItem[]): Promise<void> {
    const { brokerId } = link;
    const settled = await Promise.all(
      results.map(async (item) => {
        const settlement = settlementOf(brokerId, item);
        return { id: item.id, outcome: await untilDone(link, () => this.settlements.add(settlement)) };
      }),
    );
    const over = settled
      .filter(({ outcome }) => outcome !== undefined && outcome !== 'stale')
      .map(({ id }) => id);
    this.reconciler.letGo(brokerId, over);
    for (const ids of batches(over)) link.send({ t: 'confirm', ids });
  }

  /** Resolves when no word waits to be written. */
  async idle(): Promise<void> {
    await Promise.all([this.acks.idle(), this.settlements.idle()]);
  }

  private async writeAcks(words: Word[]): Promise<true[]> {
    try {
      this.replica.assertMayAct();
      await this.repository.ack(words, this.replica.id);
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
    const endings = await this.repository.settle(batch, this.replica.id);
    this.endings.committed(endings);
    const settled = new Set(endings.map(({ id }) => id));
    const others = batch.filter(({ id }) => !settled.has(id));
    if (others.length === 0) return batch.map(() => 'settled');
    const judged = await this.judge(others);
    return batch.map(({ id }) => (settled.has(id) ? 'settled' : (judged.get(id) ?? 'unknown')));
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
    }
    return judged;
  }
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
  if (item.outcome === 'succeeded' && sizeOf(item.body) > LIMITS.resultBytes) {
    const message = `The result has more than ${LIMITS.resultBytes} bytes.`;
    const error = { code: 'result_too_large', message, retryable: false };
    return { id, brokerId, attempt, state: 'failed', result: null, error };
  }
  return item.outcome === 'succeeded'
    ? { id, brokerId, attempt, state: stateAfter('succeed') as EndedState, result: item.body, error: null }
    : { id, brokerId, attempt, state: stateAfter('fail') as EndedState, result: null, error: item.error };
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
  const isRepeat =
    row.attempt === word.attempt && row.state === word.state && row.errorCode === (word.error?.code ?? null);
  return isRepeat ? 'repeated' : 'late';
}
