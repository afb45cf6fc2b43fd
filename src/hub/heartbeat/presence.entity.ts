import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('broker_presence')
@Check('broker_presence_state_is_known', `state in ('online', 'degraded', 'unreachable', 'offline')`)
export class PresenceEntity {
  @PrimaryColumn('uuid', { name: 'broker_id', primaryKeyConstraintName: 'broker_presence_is_one_a_broker' })
  brokerId: string;

  @Column('text')
  state: string;

  @Column('double precision', { nullable: true })
  load: number | null;

  @Column('integer', { default: 0 })
  running: number;

  @Column('timestamptz', { name: 'last_seen_at', default: () => 'now()' })
  lastSeenAt: Date;

  @Column('timestamptz', { name: 'changed_at', default: () => 'now()' })
  changedAt: Date;

  /** Of the connection that the state was last told on. */
  @Column('bigint', { default: 0 })
  epoch: number;
}
