import { Check, Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';

@Entity('broker')
@Check('broker_version_is_whole', '(version_major is null) = (version_minor is null)')
@Check('broker_draining_is_cordoned', 'draining_at is null or cordoned_at is not null')
@Check('broker_drained_has_drained', 'drained_at is null or draining_at is not null')
@Index('broker_that_drains', ['id'], { where: '((draining_at IS NOT NULL) AND (drained_at IS NULL))' })
@Unique('broker_name_is_unique', ['name'])
export class BrokerEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'broker_is_known_by_id' })
  id: string;

  @Column('text')
  name: string;

  @Column('text')
  fingerprint: string;

  @Column('jsonb', { default: {} })
  labels: Record<string, string>;

  /** What the join token gave, or an operator; it wins over what the broker says of itself. */
  @Column('jsonb', { name: 'given_labels', default: {} })
  givenLabels: Record<string, string>;

  /** null until the broker has connected for the first time. */
  @Column('jsonb', { nullable: true })
  capabilities: string[] | null;

  /** Grows each time they are told: by each hello, and by what the broker says later on its link. */
  @Column('bigint', { name: 'capabilities_revision', default: 0 })
  capabilitiesRevision: number;

  @Column('text')
  software: string;

  /** Read from `software`, as numbers, to be compared with version floors; null where none can be read. */
  @Column('integer', { name: 'version_major', nullable: true })
  versionMajor: number | null;

  @Column('integer', { name: 'version_minor', nullable: true })
  versionMinor: number | null;

  /** Whether it may be attached to many projects at a time. */
  @Column('boolean', { name: 'is_shared', default: false })
  isShared: boolean;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;

  /** When another instance with its credential took its place last. */
  @Column('timestamptz', { name: 'displaced_at', nullable: true })
  displacedAt: Date | null;

  /** Grows with what an operator changes. */
  @Column('integer', { default: 1 })
  revision: number;

  /** No new agents since; null while it is in service. */
  @Column('timestamptz', { name: 'cordoned_at', nullable: true })
  cordonedAt: Date | null;

  /** Nothing is started since, and its agents are being stopped. */
  @Column('timestamptz', { name: 'draining_at', nullable: true })
  drainingAt: Date | null;

  /** None of its agents has run since. */
  @Column('timestamptz', { name: 'drained_at', nullable: true })
  drainedAt: Date | null;

  @Column('timestamptz', { name: 'revoked_at', nullable: true })
  revokedAt: Date | null;
}
