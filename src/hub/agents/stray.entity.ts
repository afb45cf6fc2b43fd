import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

@Entity('agent_stray')
@Check('agent_stray_kind_is_known', `kind in ('orphan', 'stranger')`)
@Check(
  'agent_stray_reason_is_known',
  `reason in ('agent_unknown', 'agent_deleted', 'agent_elsewhere', 'run_ended', 'run_superseded')`,
)
@Check('agent_stray_phase_is_known', `phase in ('starting', 'running', 'stopping')`)
@Index('agent_stray_is_listed_by_id', ['id'], { unique: true })
export class StrayEntity {
  @PrimaryColumn('uuid', { name: 'broker_id', primaryKeyConstraintName: 'agent_stray_is_one_an_agent' })
  brokerId: string;

  @PrimaryColumn('uuid', { name: 'agent_id', primaryKeyConstraintName: 'agent_stray_is_one_an_agent' })
  agentId: string;

  @Column('uuid')
  id: string;

  @Column('uuid', { name: 'run_id' })
  runId: string;

  @Column('text')
  kind: string;

  @Column('text')
  reason: string;

  @Column('text')
  phase: string;

  /** The command that ends it; null where it is only told of. */
  @Column('uuid', { name: 'dispatch_id', nullable: true })
  dispatchId: string | null;

  @Column('timestamptz', { name: 'found_at', default: () => 'now()' })
  foundAt: Date;
}
