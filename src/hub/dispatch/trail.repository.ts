import { Injectable } from '@nestjs/common';
import type { BrokerError } from '../../protocol/frame.js';
import { isSeen, type Scope } from '../auth/scope.js';
import { Database } from '../database/database.js';
import { statement } from '../database/statement.js';
import { readable } from './trail-step.js';
import type { TrailStep } from './record.js';
import type { DispatchState, Lane } from './state.js';

/** A dispatch with its trail, as its row has them. */
export type TrailRow = {
  id: string;
  seq: number;
  brokerId: string;
  brokerName: string | null;
  agentId: string | null;
  op: string;
  lane: Lane;
  orderingKey: string | null;
  state: DispatchState;
  attempt: number;
  createdAt: Date;
  deadlineAt: Date;
  endedAt: Date | null;
  error: BrokerError | null;
  idempotencyKey: string | null;
  records: number;
  readAt: Date;
  trail: TrailStep[];
};

export type TrailRange = {
  /** Only ids after this one, and before the other. */
  after: string;
  before: string;
  brokerId: string | null;
  limit: number;
  /** Of these projects alone; null for all, and those of none. */
  sees: Scope['sees'];
};

const TRAIL_COLUMNS = `
      dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId", broker.name as "brokerName",
      dispatch.agent_id as "agentId", dispatch.op, dispatch.lane, dispatch.ordering_key as "orderingKey",
      dispatch.state, dispatch.attempt, dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt",
      dispatch.initiator ->> 'idempotencyKey' as "idempotencyKey",
      ${readable('dispatch.trail')} as trail, now() as "readAt"`;

// One statement over both tables, so that a row that moves between them is seen once. One that stands in both at the
// same time is a fault, which the proof is told of.
const LIST = statement(
  'list_trails',
  `
  select listed.* from (
    (
      select ${TRAIL_COLUMNS}, null::timestamptz as "endedAt", null::jsonb as error, 1 as records
      from broker_dispatch dispatch
      left join broker on broker.id = dispatch.broker_id
      where dispatch.id > $1::uuid and dispatch.id < $2::uuid
        and ($3::uuid is null or dispatch.broker_id = $3)
        and ${isSeen('dispatch.project_id', '$5')}
        and not exists (select from broker_dispatch_history ended where ended.id = dispatch.id)
      order by dispatch.id
      limit $4
    )
    union all
    (
      select ${TRAIL_COLUMNS}, dispatch.ended_at, dispatch.error,
             case when exists (select from broker_dispatch live where live.id = dispatch.id) then 2 else 1 end
      from broker_dispatch_history dispatch
      left join broker on broker.id = dispatch.broker_id
      where dispatch.id > $1::uuid and dispatch.id < $2::uuid
        and ($3::uuid is null or dispatch.broker_id = $3)
        and ${isSeen('dispatch.project_id', '$5')}
      order by dispatch.id
      limit $4
    )
  ) listed
  order by listed.id
  limit $4
  `,
);

/** SQL that reads many trails, for whoever checks them. */
@Injectable()
export class TrailRepository {
  constructor(private readonly database: Database) {}

  /** Oldest first, by id; each once, live or ended. */
  async list({ after, before, brokerId, limit, sees }: TrailRange): Promise<TrailRow[]> {
    return this.database.runPlanned(LIST, [after, before, brokerId, limit, sees]);
  }
}
