import { Injectable } from '@nestjs/common';
import type { JsonObject } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { isOp, contractOf, type Op } from '../../protocol/op.js';
import { Database, type Run } from '../database/database.js';
import { DatabaseUnavailable } from '../database/database.errors.js';
import { transactionInDoubt } from '../database/in-doubt.js';
import { Group } from '../lifecycle/group.js';
import type { Part } from '../http/page.js';
import { WINDOW_S, type Wait } from '../http/prefer.js';
import { newId } from '../new-id.js';
import { CodedError } from '../problems/coded.error.js';
import { DispatchNotFound, OutcomeUnknown } from './dispatch.errors.js';
import type { Idempotency } from '../auth/request-key.js';
import { requireScope, type Scope } from '../auth/scope.js';
import type { Draft, Initiator } from './draft.js';
import { ListRepository, type DispatchFilter, type EndedFilter } from './list.repository.js';
import type { DispatchRecord, ReadRecord, TrailStep } from './record.js';
import { ReadRepository } from './read.repository.js';
import { Cancels } from './cancels.js';
import { hasEnded, type Contract, type Lane } from './state.js';
import type { OutcomeCopy } from './row-copy.js';
import { Submission, type Stored } from './submission.js';
import { Waits, type Patience } from './waits.js';
import { explain } from './why.js';
import { WhyRepository } from './why.repository.js';

export const DEADLINE_S = 15 * 60;
export const DEADLINE_MOST_S = 7 * 24 * 3600;

/**
 * What to do, as another module asks for it. Where a field is left out it is of no project, not where the rules of a project are against it, of no
 * agent, in order with others of its agent or else of its broker, in the lane `normal`, to go out at once, and by the contract `until`.
 */
export type Order = {
  /** Made by the caller where it needs it beforehand. */
  id?: string;
  projectId?: string;
  /** Also where the project is archived, or does not admit the broker any more. */
  endsRun?: boolean;
  brokerId: string;
  agentId?: string;
  op: Op;
  args: JsonObject;
  lane?: Lane;
  /** null for no order with others. */
  orderingKey?: string | null;
  deadlineS?: number;
  notBefore?: Date;
  contract?: Contract;
  redriveOf?: string;
  initiator: Initiator;
  idempotency?: Idempotency;
};

const READ_MOST = 500;
/** Retryable failures that a command may have, as its row has it where nobody says otherwise. */
const FAILURES_MOST = 5;

/** What the rest of the hub can do with dispatches. */
@Injectable()
export class Dispatches {
  /** What is asked for of commands that wait costs the more the more of them wait: it leaves the database to others meanwhile. */
  private readonly reads = new Group<string, DispatchRecord | undefined>(
    async (ids) => {
      const records = await this.explained(await this.repository.find([...new Set(ids)]));
      const found = new Map(records.map((record) => [record.id, record]));
      return ids.map((id) => found.get(id));
    },
    READ_MOST,
    'as_it_took',
  );

  constructor(
    private readonly submission: Submission,
    private readonly repository: ReadRepository,
    private readonly lists: ListRepository,
    private readonly why: WhyRepository,
    private readonly waits: Waits,
    private readonly cancels: Cancels,
    private readonly database: Database,
  ) {}

  /**
   * Stores a command and waits for its end, at most for as long as `wait` says. Giving up the wait cancels nothing.
   *
   * @throws as Submission.submit
   */
  async submit(order: Order, wait: Wait): Promise<DispatchRecord> {
    const draft = draftOf(order);
    const watch = wait.totalS > 0 ? this.waits.watch(draft.id, false) : undefined;
    try {
      const { id, isRepeat, stored } = await this.submission.submit(draft);
      if (isRepeat) return await this.waitForAccepted(id, wait);
      const outcome = await watch?.ended(patienceOf(order.op, wait));
      if (stored !== null && outcome !== undefined) return recordOf(stored, outcome);
      return await onRecord(id, this.get(id));
    } finally {
      watch?.cancel();
    }
  }

  /** As `wait`, for a command of the caller's own. @throws OutcomeUnknown where it cannot be read now */
  async waitForAccepted(id: string, wait: Wait): Promise<DispatchRecord> {
    return onRecord(id, this.wait(id, wait));
  }

  /**
   * A transaction that stores a command, and the id of that command, or of the one that the same request led to before.
   * Where its commit is in doubt, the command is looked up.
   *
   * @throws OutcomeUnknown where it is not found for 5 s; otherwise nothing was stored
   */
  async transaction(work: (run: Run) => Promise<string>): Promise<string> {
    const isThere = (id: string) => this.isAnyOnRecord([id]);
    return transactionInDoubt(this.database, work, isThere, (id, cause) => new OutcomeUnknown(id, cause));
  }

  async isAnyOnRecord(ids: readonly string[]): Promise<boolean> {
    return (await this.repository.find(ids)).length > 0;
  }

  /**
   * Stores a command in the caller's transaction.
   *
   * @returns what must be called once that transaction is committed
   */
  async submitWithin(run: Run, order: Order): Promise<() => void> {
    const { outcomes, committed } = await this.submission.submitWithin(run, [draftOf(order)]);
    if (outcomes[0] instanceof Error) throw outcomes[0];
    return committed;
  }

  /**
   * Passes where a request may do with a command what it asks for. A command never changes its project.
   *
   * @throws DispatchNotFound for one that it does not see; Forbidden for one of a project where it may not
   */
  async within(scope: Scope, id: string): Promise<void> {
    // Who sees all is told by the statement that comes next whether it is there.
    if (scope.sees === null) return;
    const seen = await this.repository.see(id, scope.sees);
    if (seen === undefined) throw new DispatchNotFound();
    requireScope(scope, seen.projectId);
  }

  /** @throws DispatchNotFound */
  async get(id: string): Promise<DispatchRecord> {
    const record = await this.reads.add(id);
    if (record === undefined) throw new DispatchNotFound();
    return record;
  }

  /** The dispatch when it has ended, or as it stands when the time is up. @throws DispatchNotFound */
  async wait(id: string, wait: Wait): Promise<DispatchRecord> {
    const watch = wait.totalS > 0 ? this.waits.watch(id, true) : undefined;
    try {
      const record = await this.get(id);
      if (watch === undefined || hasEnded(record.state)) return record;
      await watch.ended(patienceOf(record.op, wait));
      return await this.get(id);
    } finally {
      watch?.cancel();
    }
  }

  /**
   * Gives a command up, and waits for its end, at most for as long as `wait` says. One that has ended stays as it is.
   *
   * @throws DispatchNotFound
   */
  async cancel(id: string, wait: Wait): Promise<DispatchRecord> {
    const watch = wait.totalS > 0 ? this.waits.watch(id, true) : undefined;
    try {
      await this.cancels.request(id);
      const record = await this.get(id);
      if (watch === undefined || hasEnded(record.state)) return record;
      await watch.ended(patienceOf(record.op, wait));
      return await this.get(id);
    } finally {
      watch?.cancel();
    }
  }

  /** @throws ListsBusy */
  async list(filter: DispatchFilter): Promise<Part<DispatchRecord>> {
    const { rows, isCut } = await this.lists.list(filter);
    return { rows: await this.explained(rows), isCut };
  }

  /** With what keeps each from going on that is alive. One that has ended since it was read is read again. */
  private async explained(records: readonly ReadRecord[]): Promise<DispatchRecord[]> {
    const live = records.filter(({ state }) => !hasEnded(state)).map(({ id }) => id);
    const facts = live.length === 0 ? [] : await this.why.read(live);
    const waiting = new Map(
      facts.filter(({ endedAt }) => endedAt === null).map((about) => [about.id, about]),
    );
    const gone = live.filter((id) => !waiting.has(id));
    const ended = gone.length === 0 ? [] : await this.repository.find(gone);
    const latest = new Map(ended.map((record) => [record.id, record]));
    return records.map((record) => {
      const about = waiting.get(record.id);
      return {
        ...(latest.get(record.id) ?? record),
        position: about?.position ?? null,
        reason: about === undefined ? null : explain(about).explanation,
      };
    });
  }

  /** Ended commands that no other one does again, newest first. @throws ListsBusy */
  async listNotRedriven(filter: EndedFilter): Promise<Part<ReadRecord>> {
    return this.lists.listNotRedriven(filter);
  }

  /** @throws DispatchNotFound */
  async trail(id: string): Promise<TrailStep[]> {
    const trail = await this.repository.trail(id);
    if (trail === undefined) throw new DispatchNotFound();
    return trail;
  }
}

/** The record of a command that was stored and has ended, put together from what was told of both: as a read would give it. */
export function recordOf(
  { draft, seq, brokerName, createdAt }: Stored,
  outcome: OutcomeCopy,
): DispatchRecord {
  // One literal of one shape: objects that are put together from parts cost the hot path several times as much.
  return {
    id: draft.id,
    seq,
    projectId: draft.projectId,
    brokerId: draft.brokerId,
    brokerName,
    agentId: draft.agentId,
    op: draft.op,
    args: draft.args,
    lane: draft.lane,
    orderingKey: draft.orderingKey,
    state: outcome.state,
    attempt: outcome.attempt,
    failures: 0,
    maxFailures: FAILURES_MOST,
    contract: draft.contract,
    notBefore: draft.notBefore,
    retryAt: null,
    cancelRequestedAt: null,
    redriveOf: draft.redriveOf,
    claimedBy: outcome.claimedBy,
    claimEpoch: outcome.claimEpoch,
    initiator: draft.initiator,
    progress: null,
    createdAt,
    deadlineAt: new Date(createdAt.getTime() + draft.deadlineS * 1000),
    endedAt: new Date(outcome.endedAtMs),
    result: outcome.result,
    error: outcome.error,
    position: null,
    reason: null,
  };
}

/** A wait for an op that may take long ends early where nothing is heard of it; so does any whose caller says so. */
function patienceOf(op: string, { totalS, windowS }: Wait): Patience {
  const isRolling = isOp(op) && contractOf(op).wait === 'rolling';
  return { totalMs: totalS * 1000, windowMs: (windowS ?? (isRolling ? WINDOW_S : Infinity)) * 1000 };
}

/** A command that was accepted and cannot be read must not seem refused: its caller would ask for it again. */
async function onRecord(id: string, reading: Promise<DispatchRecord>): Promise<DispatchRecord> {
  try {
    return await reading;
  } catch (error) {
    throw error instanceof DatabaseUnavailable ? new OutcomeUnknown(id, error) : error;
  }
}

/** @throws CodedError `args_too_large`, `request_invalid` */
export function draftOf(order: Order): Draft {
  const { brokerId, agentId, op, args, contract = 'until', deadlineS = DEADLINE_S, notBefore } = order;
  const argsBytes = Buffer.byteLength(JSON.stringify(args));
  if (argsBytes > LIMITS.argsBytes) throw new CodedError('args_too_large');
  const orderingKey = order.orderingKey === undefined ? (agentId ?? brokerId) : order.orderingKey;
  if (contract === 'latest_only' && orderingKey === null) {
    const rule = 'must not be null with the contract latest_only';
    throw new CodedError('request_invalid', undefined, { fields: [{ path: 'orderingKey', rule }] });
  }
  return {
    id: order.id ?? newId(),
    projectId: order.projectId ?? null,
    endsRun: order.endsRun ?? false,
    brokerId,
    agentId: agentId ?? null,
    op,
    args,
    argsBytes,
    capability: contractOf(op).capability,
    lane: order.lane ?? 'normal',
    orderingKey,
    deadlineS,
    notBefore: notBefore ?? null,
    contract,
    redriveOf: order.redriveOf ?? null,
    initiator: order.initiator,
    idempotency: order.idempotency ?? null,
  };
}
