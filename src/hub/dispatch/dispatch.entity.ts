import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** The columns that a live and an ended dispatch share. */
abstract class CommandColumns {
  @Column('uuid', { name: 'project_id', nullable: true })
  projectId: string | null;

  @Column('uuid', { name: 'broker_id' })
  brokerId: string;

  @Column('uuid', { name: 'agent_id', nullable: true })
  agentId: string | null;

  @Column('text')
  op: string;

  @Column('jsonb')
  args: object;

  @Column('text')
  lane: string;

  @Column('text', { name: 'ordering_key', nullable: true })
  orderingKey: string | null;

  @Column('text')
  state: string;

  @Column('integer', { default: 0 })
  attempt: number;

  @Column('integer', { default: 0 })
  failures: number;

  @Column('integer', { name: 'max_failures', default: 5 })
  maxFailures: number;

  /** What becomes of it while its broker is away. */
  @Column('text', { default: 'until' })
  contract: string;

  /** The one link that it may go out on, where its contract binds it to one. */
  @Column('bigint', { name: 'link_epoch', nullable: true })
  linkEpoch: number | null;

  /** By its caller's wish; until then it holds up nothing. */
  @Column('timestamptz', { name: 'not_before', nullable: true })
  notBefore: Date | null;

  /** After a failure that may pass; until then it holds its key. */
  @Column('timestamptz', { name: 'retry_at', nullable: true })
  retryAt: Date | null;

  @Column('timestamptz', { name: 'deadline_at' })
  deadlineAt: Date;

  @Column('timestamptz', { name: 'cancel_requested_at', nullable: true })
  cancelRequestedAt: Date | null;

  @Column('uuid', { name: 'claimed_by', nullable: true })
  claimedBy: string | null;

  @Column('bigint', { name: 'claim_epoch', nullable: true })
  claimEpoch: number | null;

  /** The broker's journal at the claim: only that journal can say that a command was never begun. */
  @Column('uuid', { name: 'claim_journal', nullable: true })
  claimJournal: string | null;

  @Column('timestamptz', { name: 'claimed_at', nullable: true })
  claimedAt: Date | null;

  @Column('uuid', { name: 'origin_replica' })
  originReplica: string;

  /** The ended dispatch that this one does again. */
  @Column('uuid', { name: 'redrive_of', nullable: true })
  redriveOf: string | null;

  @Column('jsonb')
  initiator: object;

  /** How far the attempt is that it names, by the broker's latest word. */
  @Column('jsonb', { nullable: true })
  progress: object | null;

  /** Steps, each the text of a JSON object. */
  @Column('text', { array: true })
  trail: string[];

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;
}

@Entity('broker_dispatch')
@Index('broker_dispatch_in_order', ['brokerId', 'seq'])
@Index('broker_dispatch_of_project_in_order', ['projectId', 'seq'], { where: `(project_id IS NOT NULL)` })
@Index('broker_dispatch_of_key', ['orderingKey', 'brokerId', 'seq'], { where: 'ordering_key is not null' })
@Index('broker_dispatch_of_redrive', ['redriveOf'], { where: '(redrive_of IS NOT NULL)' })
@Index('broker_dispatch_bound_to_link', ['brokerId', 'seq'], {
  where: `(contract = ANY (ARRAY['now_or_fail'::text, 'on_attach'::text]))`,
})
@Check('broker_dispatch_state_is_live', `state in ('pending', 'claimed', 'running')`)
@Index('broker_dispatch_by_deadline', ['deadlineAt'])
@Check('broker_dispatch_lane_is_known', `lane in ('control', 'normal', 'bulk')`)
@Check(
  'broker_dispatch_contract_is_known',
  `contract in ('until', 'now_or_fail', 'on_attach', 'latest_only')`,
)
@Check(
  'broker_dispatch_claim_is_whole',
  `state = 'pending' or (claimed_by is not null and claim_epoch is not null and claim_journal is not null)`,
)
export class DispatchEntity extends CommandColumns {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'broker_dispatch_is_known_by_id' })
  id: string;

  @Column({ type: 'bigint', generated: 'identity', generatedIdentity: 'ALWAYS' })
  seq: number;
}

@Entity('broker_dispatch_history')
@Index('broker_dispatch_history_by_broker', ['brokerId', 'id'])
@Index('broker_dispatch_history_of_redrive', ['redriveOf'], { where: '(redrive_of IS NOT NULL)' })
@Index('broker_dispatch_history_of_project', ['projectId', 'id'], { where: '(project_id IS NOT NULL)' })
@Index('broker_dispatch_history_of_agent', ['agentId', 'id'], { where: '(agent_id IS NOT NULL)' })
@Index('broker_dispatch_history_of_exceptions', ['state', 'id'], {
  where: `(state = ANY (ARRAY['failed'::text, 'cancelled'::text, 'expired'::text, 'dead'::text]))`,
})
@Check(
  'broker_dispatch_history_state_is_ended',
  `state in ('succeeded', 'failed', 'cancelled', 'expired', 'dead')`,
)
export class DispatchHistoryEntity extends CommandColumns {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'broker_dispatch_history_is_known_by_id' })
  id: string;

  @Column('bigint')
  seq: number;

  @Column('jsonb', { nullable: true })
  result: object | null;

  @Column('jsonb', { nullable: true })
  error: object | null;

  @Column('timestamptz', { name: 'ended_at', default: () => 'now()' })
  endedAt: Date;
}

/** Below this `seq` no command of the broker is alive: where a takeover begins to read. */
@Entity('broker_dispatch_floor')
export class DispatchFloorEntity {
  @PrimaryColumn('uuid', {
    name: 'broker_id',
    primaryKeyConstraintName: 'broker_dispatch_floor_is_one_a_broker',
  })
  brokerId: string;

  @Column('bigint')
  seq: number;

  /** The latest link whose inventory was taken: on no newer one is anything claimed yet. */
  @Column('bigint', { name: 'ready_epoch', nullable: true })
  readyEpoch: number | null;

  @Column('timestamptz', { name: 'stored_at', default: () => 'now()' })
  storedAt: Date;
}

@Entity('idempotency_key')
@Index('idempotency_key_by_age', ['createdAt'])
export class IdempotencyKeyEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'idempotency_key_is_one_a_scope' })
  scope: string;

  @PrimaryColumn('text', { primaryKeyConstraintName: 'idempotency_key_is_one_a_scope' })
  key: string;

  @Column('text', { name: 'request_hash' })
  requestHash: string;

  /** What the request made; of one that is answered as a whole, nothing that is anywhere else. */
  @Column('uuid', { name: 'subject_id' })
  subjectId: string;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;

  /** Of a request that made no one thing. */
  @Column('jsonb', { nullable: true })
  answer: object | null;
}
