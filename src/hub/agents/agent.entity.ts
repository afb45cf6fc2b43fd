import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

@Entity('agent')
@Check('agent_runtime_is_known', `runtime in ('process')`)
@Check('agent_wanted_is_known', `wanted in ('running', 'stopped', 'deleted')`)
@Check(
  'agent_phase_is_known',
  `phase in ('created', 'starting', 'running', 'stopping', 'stopped', 'failed', 'deleting', 'deleted')`,
)
@Index('agent_by_project', ['projectId', 'id'])
@Index('agent_name_is_unique', ['name'], { unique: true, where: `(phase <> 'deleted'::text)` })
export class AgentEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'agent_is_known_by_id' })
  id: string;

  @Column('text')
  name: string;

  @Column('uuid', { name: 'project_id', nullable: true })
  projectId: string | null;

  @Index('agent_by_broker')
  @Column('uuid', { name: 'broker_id' })
  brokerId: string;

  @Column('text')
  runtime: string;

  @Column('jsonb')
  spec: object;

  @Column('text')
  wanted: string;

  @Column('text')
  phase: string;

  @Column('uuid', { name: 'run_id', nullable: true })
  runId: string | null;

  @Column('uuid', { name: 'dispatch_id', nullable: true })
  dispatchId: string | null;

  /** What it was before its latest command, and below that before each one that was still on its way. */
  @Column('jsonb', { nullable: true })
  undo: object[] | null;

  @Column('bigint', { name: 'exit_code', nullable: true })
  exitCode: number | null;

  @Column('text', { nullable: true })
  detail: string | null;

  @Column('integer', { default: 0 })
  restarts: number;

  @Column('integer', { default: 1 })
  revision: number;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;

  @Column('timestamptz', { name: 'updated_at', default: () => 'now()' })
  updatedAt: Date;
}
