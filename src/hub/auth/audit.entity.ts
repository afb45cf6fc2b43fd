import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';

@Entity('audit')
@Check('audit_outcome_is_known', `outcome in ('done', 'unchanged', 'refused')`)
@Check('audit_actor_kind_is_known', `actor_kind in ('person', 'broker')`)
@Index('audit_by_subject', ['subjectId', 'id'])
export class AuditEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'audit_is_known_by_id' })
  id: string;

  /** The order in which they were written. */
  @Column({ type: 'bigint', generated: 'identity', generatedIdentity: 'ALWAYS' })
  seq: number;

  @Column('timestamptz', { default: () => 'now()' })
  at: Date;

  @Column('text')
  act: string;

  @Column('text')
  outcome: string;

  /** Of the refusal. */
  @Column('text', { nullable: true })
  code: string | null;

  @Column('text', { name: 'actor_kind' })
  actorKind: string;

  @Column('uuid', { name: 'actor_id', nullable: true })
  actorId: string | null;

  @Column('text', { name: 'actor_name', nullable: true })
  actorName: string | null;

  @Column('uuid', { name: 'credential_id', nullable: true })
  credentialId: string | null;

  @Column('text', { name: 'request_id', nullable: true })
  requestId: string | null;

  @Column('text', { nullable: true })
  address: string | null;

  @Column('text', { name: 'subject_kind' })
  subjectKind: string;

  @Column('uuid', { name: 'subject_id', nullable: true })
  subjectId: string | null;

  @Column('text', { name: 'subject_name', nullable: true })
  subjectName: string | null;

  @Column('jsonb')
  detail: object;
}
