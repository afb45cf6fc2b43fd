import { Injectable } from '@nestjs/common';
import { RequestKeys } from '../auth/request-keys.js';
import type { Scope } from '../auth/scope.js';
import { Database } from '../database/database.js';
import { transactionInDoubt } from '../database/in-doubt.js';
import { CodedError } from '../problems/coded.error.js';
import type { Wait } from '../http/prefer.js';
import { Brokers } from '../registry/brokers.js';
import type { Asking } from './caller.js';
import { NotRedrivable, RedriveInDoubt } from './dispatch.errors.js';
import { DEADLINE_MOST_S, Dispatches, draftOf } from './dispatches.js';
import type { Draft, Initiator } from './draft.js';
import { isForBrokers } from './dto/order.js';
import { REDRIVABLE, type Redrivable } from './dto/redrive.dto.js';
import type { DispatchRecord, ReadRecord } from './record.js';
import { Submission } from './submission.js';

/** One scope for all callers: whoever asks, a command is done again once. */
const SCOPE = 'redrive';

export type RedriveFilter = {
  state: Redrivable;
  broker?: string | undefined;
  op?: string | undefined;
  before?: string | undefined;
  limit: number;
};

export type Redriven = {
  redriven: { from: string; to: string }[];
  refused: { id: string; code: string; detail: string }[];
  next: string | null;
};

/** The command that does an ended one again, or why none may. */
type Again = { from: string; draft: Draft | CodedError };
/** The id of the command that does an ended one again, or why it was refused, by the id of the ended one. */
type Outcomes = { from: string; to: string | CodedError }[];

/**
 * Does ended commands again: a new command with the op, arguments and key of the old one, its name, and as much time from
 * now on. Within a day a command is done again at most once, however often and by whomever that is asked; after that it
 * can be, but only where it is named. What dies again is another command, and can be done again in its turn.
 *
 * All that one request asks for is stored in one transaction, together with the request's own key and its answer: a repeat is
 * told the same, and does nothing more.
 */
@Injectable()
export class Redrives {
  constructor(
    private readonly dispatches: Dispatches,
    private readonly submission: Submission,
    private readonly requestKeys: RequestKeys,
    private readonly brokers: Brokers,
    private readonly database: Database,
  ) {}

  /** @throws DispatchNotFound, Forbidden, NotRedrivable, IdempotencyKeyReused, RedriveInDoubt, and as Submission.submit */
  async one(id: string, asking: Asking, wait: Wait, scope: Scope): Promise<DispatchRecord> {
    await this.dispatches.within(scope, id);
    const again = againOf(await this.dispatches.get(id), asking.initiator);
    const { to } = await this.store(asking, [again], ([outcome]) => {
      if (outcome === undefined) throw new Error('a command that is done again has no outcome');
      if (outcome.to instanceof Error) throw outcome.to;
      return { to: outcome.to };
    });
    return this.dispatches.waitForAccepted(to, wait);
  }

  /**
   * Those that fit a filter and that nothing does again yet, or ever did: of all the newest, and of these the earliest
   * first, so that those of a key are done again in the order in which they were asked for. A repeat with the same
   * idempotency key is told what the first request did.
   *
   * @throws NotFound for the broker, IdempotencyKeyReused, ListsBusy, DatabaseUnavailable: nothing was done. RedriveInDoubt: it may have been
   */
  async matching(filter: RedriveFilter, asking: Asking, scope: Scope): Promise<Redriven> {
    const { idempotency, initiator } = asking;
    const earlier = idempotency && (await this.requestKeys.answerTo<Redriven>(idempotency));
    if (earlier !== undefined) return earlier;
    const { state, broker, op = null, before = null, limit } = filter;
    const brokerId = broker === undefined ? null : await this.brokers.within(scope, broker);
    const wanted = { state, before, brokerId, op, limit: limit + 1, sees: scope.may };
    const { rows, isCut } = await this.dispatches.listNotRedriven(wanted);
    const taken = rows.slice(0, limit);
    const next = isCut || rows.length > limit ? (taken.at(-1)?.id ?? null) : null;
    const records = taken.sort((a, b) => a.seq - b.seq);
    const all = records.map((record) => againOf(record, ofOne(initiator, record.id)));
    return this.store(asking, all, (outcomes) => ({ ...redrivenOf(outcomes), next }));
  }

  /** Stores what does commands again, and the answer with it. What `answerOf` throws undoes it. */
  private async store<T extends object>(
    { idempotency }: Asking,
    all: readonly Again[],
    answerOf: (outcomes: Outcomes) => T,
  ): Promise<T> {
    const drafts = all.flatMap(({ draft }) => (draft instanceof Error ? [] : [draft]));
    let committed: (() => void) | undefined;
    // undefined where the answer of an earlier request was found.
    let stored: string[] | undefined;
    const answer = await transactionInDoubt(
      this.database,
      (run) => {
        committed = undefined;
        stored = undefined;
        return this.requestKeys.once(run, idempotency, async () => {
          const within = await this.submission.submitWithin(run, drafts);
          const ids = new Map(drafts.map((draft, place) => [draft, within.outcomes[place]]));
          const outcomes = all.map(({ from, draft }) => ({ from, to: idOrRefusal(ids, draft) }));
          stored = drafts.flatMap((draft) => (ids.get(draft) === draft.id ? [draft.id] : []));
          committed = within.committed;
          return answerOf(outcomes);
        });
      },
      // That the key has an answer says nothing of whose: a repeat may have done the work meanwhile.
      async () => {
        if (stored === undefined) return true;
        return stored.length === 0 ? idempotency === undefined : this.dispatches.isAnyOnRecord(stored);
      },
      (_answer, cause) => new RedriveInDoubt(stored ?? [], cause),
    );
    committed?.();
    return answer;
  }
}

function againOf(record: ReadRecord, initiator: Initiator): Again {
  const { id: from, projectId, brokerId, agentId, args, lane, orderingKey, contract } = record;
  try {
    const op = redrivableOp(record);
    const idempotency = { scope: SCOPE, key: from, requestHash: from };
    const order = {
      brokerId,
      op,
      args,
      lane,
      orderingKey,
      contract,
      deadlineS: deadlineSOf(record),
      redriveOf: from,
      initiator,
      idempotency,
    };
    const draft = draftOf({
      ...order,
      ...(projectId === null ? {} : { projectId }),
      ...(agentId === null ? {} : { agentId }),
    });
    return { from, draft };
  } catch (error) {
    if (error instanceof CodedError) return { from, draft: error };
    throw error;
  }
}

/** What was given to it when it was asked for, from then on. */
function deadlineSOf({ createdAt, deadlineAt }: ReadRecord): number {
  return Math.min(Math.ceil((deadlineAt.getTime() - createdAt.getTime()) / 1_000), DEADLINE_MOST_S);
}

/** @throws NotRedrivable */
function redrivableOp({ op, state, error }: ReadRecord) {
  if (!(REDRIVABLE as readonly string[]).includes(state))
    throw new NotRedrivable(`A command that is ${state} cannot be done again.`);
  if (error?.code === 'superseded')
    throw new NotRedrivable('A later command took its place, and would lose it to this one.');
  if (!isForBrokers(op)) throw new NotRedrivable('What is done to an agent is asked of the agent again.');
  return op;
}

/** @throws what is no refusal */
function idOrRefusal(
  ids: ReadonlyMap<Draft, string | Error | undefined>,
  draft: Draft | CodedError,
): string | CodedError {
  const outcome = draft instanceof Error ? draft : ids.get(draft);
  if (typeof outcome === 'string') return outcome;
  if (outcome instanceof CodedError && outcome.status < 500) return outcome;
  throw outcome ?? new Error('a command that is done again has no outcome');
}

function redrivenOf(outcomes: Outcomes): Pick<Redriven, 'redriven' | 'refused'> {
  const redriven: Redriven['redriven'] = [];
  const refused: Redriven['refused'] = [];
  for (const { from, to } of outcomes) {
    if (typeof to === 'string') redriven.push({ from, to });
    else refused.push({ id: from, code: to.code, detail: to.message });
  }
  return { redriven, refused };
}

/** Each of those that one request redrives is known by the request's key and the one that it does again. */
function ofOne(initiator: Initiator, id: string): Initiator {
  const { idempotencyKey: key } = initiator;
  return key === undefined ? initiator : { ...initiator, idempotencyKey: `${key} ${id}` };
}
