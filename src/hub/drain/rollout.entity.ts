import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('rollout')
@Check('rollout_outcome_is_known', `outcome in ('moved', 'deadline', 'alone')`)
@Check('rollout_is_judged_with_a_report', '(judged_at is null) = (report is null)')
export class RolloutEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'rollout_is_known_by_id' })
  id: string;

  @Column('uuid', { name: 'replica_id' })
  replicaId: string;

  @Column('text', { name: 'replica_name' })
  replicaName: string;

  @Column('text')
  software: string;

  @Column({ type: 'timestamptz', name: 'begun_at', precision: 3, default: () => 'now()' })
  begunAt: Date;

  /** null while it drains, and where its process was ended before it had. */
  @Column({ type: 'timestamptz', name: 'ended_at', precision: 3, nullable: true })
  endedAt: Date | null;

  @Column('text', { nullable: true })
  outcome: string | null;

  @Column('jsonb')
  steps: object;

  /** Until when a replica is judging it. */
  @Column('timestamptz', { name: 'judging_until', nullable: true })
  judgingUntil: Date | null;

  @Column({ type: 'timestamptz', name: 'judged_at', precision: 3, nullable: true })
  judgedAt: Date | null;

  @Column('jsonb', { nullable: true })
  report: object | null;
}
