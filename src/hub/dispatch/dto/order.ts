import { isOp, type Op } from '../../../protocol/op.js';
import { isUuid } from '../../../protocol/read.js';
import { CodedError } from '../../problems/coded.error.js';
import { DispatchNotFound } from '../dispatch.errors.js';
import { DEADLINE_S } from '../dispatches.js';
import type { CreateDispatchDto } from './dispatch.dto.js';

/** Ops that go through the agents' own routes, which keep the agent's record in step. */
export const isForBrokers = (op: string): op is Op => isOp(op) && !op.startsWith('agent.');

/**
 * @param now the hub's time, by which the database judges both times of a command
 * @throws CodedError `op_unknown`, `request_invalid`
 */
export function orderOf(body: CreateDispatchDto, now: Date) {
  const { op, args = {}, orderingKey, lane, deadlineS = DEADLINE_S, contract, notBefore } = body;
  if (!isForBrokers(op)) throw new CodedError('op_unknown', `There is no op ${op} to ask a broker for.`);
  if (notBefore !== undefined && Date.parse(notBefore) >= now.getTime() + deadlineS * 1000) {
    const fields = [{ path: 'notBefore', rule: 'must be before the deadline' }];
    throw new CodedError('request_invalid', undefined, { fields });
  }
  return {
    op,
    args,
    deadlineS,
    ...(orderingKey === undefined ? {} : { orderingKey }),
    ...(lane === undefined ? {} : { lane }),
    ...(contract === undefined ? {} : { contract }),
    ...(notBefore === undefined ? {} : { notBefore: new Date(notBefore) }),
  };
}

/** @throws DispatchNotFound for what is no id */
export function dispatchId(id: string): string {
  if (!isUuid(id)) throw new DispatchNotFound();
  return id;
}
