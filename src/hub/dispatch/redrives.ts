import { Injectable } from '@nestjs/common';
import type { Scope } from '../auth/scope.js';
import { CodedError } from '../problems/coded.error.js';
import { NO_WAIT, type Wait } from '../http/prefer.js';
import { Brokers } from '../registry/brokers.js';
import { NotRedrivable } from './dispatch.errors.js';
import { Dispatches } from './dispatches.js';
import type { Initiator } from './draft.js';
import { isForBrokers } from './dto/order.js';
import { REDRIVABLE, type Redrivable } from './dto/redrive.dto.js';
import type { DispatchRecord } from './record.js';

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

/**
 * Does ended commands again: a new command with the op, arguments and key of the old one, and its name. Within a day
 * a command is done again at most once, however often and by whomever that is asked; after that it can be, but only
 * where it is named. What dies again is another command, and can be done again in its turn.
 */
@Injectable()
export class Redrives {
  constructor(
    private readonly dispatches: Dispatches,
    private readonly brokers: Brokers,
  ) {}

  /** @throws DispatchNotFound, Forbidden, NotRedrivable, and as Submission.submit */
  async one(id: string, initiator: Initiator, wait: Wait, scope: Scope): Promise<DispatchRecord> {
    await this.dispatches.within(scope, id);
    return this.again(await this.dispatches.get(id), initiator, wait);
  }

  /**
   * Those that fit a filter and that nothing does again yet, or ever did: of all the newest, and of these the earliest
   * first, so that those of a key are done again in the order in which they were asked for.
   *
   * @throws NotFound for the broker, DatabaseUnavailable
   */
  async matching(filter: RedriveFilter, initiator: Initiator, scope: Scope): Promise<Redriven> {
    const { state, broker, op = null, before = null, limit } = filter;
    const brokerId = broker === undefined ? null : await this.brokers.within(scope, broker);
    const wanted = { state, before, brokerId, op, limit: limit + 1, sees: scope.may };
    const rows = await this.dispatches.listNotRedriven(wanted);
    const outcome: Redriven = { redriven: [], refused: [], next: null };
    for (const record of rows.slice(0, limit).sort((a, b) => a.seq - b.seq)) {
      try {
        const { id: to } = await this.again(record, ofOne(initiator, record.id), NO_WAIT);
        outcome.redriven.push({ from: record.id, to });
      } catch (error) {
        if (!(error instanceof CodedError) || error.status >= 500) throw error;
        outcome.refused.push({ id: record.id, code: error.code, detail: error.message });
      }
    }
    if (rows.length > limit) outcome.next = rows[limit - 1]?.id ?? null;
    return outcome;
  }

  private async again(record: DispatchRecord, initiator: Initiator, wait: Wait): Promise<DispatchRecord> {
    const { id, op, state, projectId, brokerId, agentId, args, lane, orderingKey, contract, error } = record;
    if (!(REDRIVABLE as readonly string[]).includes(state))
      throw new NotRedrivable(`A command that is ${state} cannot be done again.`);
    if (error?.code === 'superseded')
      throw new NotRedrivable('A later command took its place, and would lose it to this one.');
    if (!isForBrokers(op)) throw new NotRedrivable('What is done to an agent is asked of the agent again.');
    const idempotency = { scope: SCOPE, key: id, requestHash: id };
    const order = { brokerId, op, args, lane, orderingKey, contract, redriveOf: id, initiator, idempotency };
    return this.dispatches.submit(
      {
        ...order,
        ...(projectId === null ? {} : { projectId }),
        ...(agentId === null ? {} : { agentId }),
      },
      wait,
    );
  }
}

/** Each of those that one request redrives is known by the request's key and the one that it does again. */
function ofOne(initiator: Initiator, id: string): Initiator {
  const { idempotencyKey: key } = initiator;
  return key === undefined ? initiator : { ...initiator, idempotencyKey: `${key} ${id}` };
}
