import { Check, Column, Entity, PrimaryColumn, Unique } from 'typeorm';

@Entity('project')
@Unique('project_name_is_unique', ['name'])
@Check('project_floor_is_whole', '(min_broker_major is null) = (min_broker_minor is null)')
@Check('project_quota_is_bounded', 'max_pending between 1 and 100000')
export class ProjectEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'project_is_known_by_id' })
  id: string;

  @Column('text')
  name: string;

  /** The version floor, as numbers; null for none. */
  @Column('integer', { name: 'min_broker_major', nullable: true })
  minBrokerMajor: number | null;

  @Column('integer', { name: 'min_broker_minor', nullable: true })
  minBrokerMinor: number | null;

  @Column('integer', { name: 'max_pending', default: 10_000 })
  maxPending: number;

  @Column('integer', { default: 1 })
  revision: number;

  @Column('uuid', { name: 'created_by' })
  createdBy: string;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;

  @Column('timestamptz', { name: 'updated_at', default: () => 'now()' })
  updatedAt: Date;

  @Column('timestamptz', { name: 'archived_at', nullable: true })
  archivedAt: Date | null;
}
