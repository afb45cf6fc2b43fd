import {
  Check,
  Column,
  Entity,
  Index,
  JoinColumn,
  ManyToOne,
  PrimaryColumn,
  Unique,
  type Relation,
} from 'typeorm';
import { BrokerEntity } from './broker.entity.js';
import { ProjectEntity } from './project.entity.js';

@Entity('broker_attachment')
@Unique('broker_attachment_is_one_a_project', ['projectId', 'brokerId'])
@Check(
  'broker_attachment_state_is_known',
  `state in ('registering', 'online', 'degraded', 'offline', 'revoked')`,
)
@Check('broker_attachment_detached_is_off', `detached_at is null or state in ('offline', 'revoked')`)
@Index('broker_attachment_is_exclusive', ['brokerId'], {
  unique: true,
  where: `(is_exclusive AND (state = ANY (ARRAY['registering'::text, 'online'::text, 'degraded'::text])))`,
})
@Index('broker_attachment_by_broker', ['brokerId'])
export class AttachmentEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'broker_attachment_is_known_by_id' })
  id: string;

  @Column('uuid', { name: 'project_id' })
  projectId: string;

  @ManyToOne(() => ProjectEntity)
  @JoinColumn({ name: 'project_id', foreignKeyConstraintName: 'broker_attachment_is_to_a_project' })
  project: Relation<ProjectEntity>;

  @Column('uuid', { name: 'broker_id' })
  brokerId: string;

  @ManyToOne(() => BrokerEntity)
  @JoinColumn({ name: 'broker_id', foreignKeyConstraintName: 'broker_attachment_is_of_a_broker' })
  broker: Relation<BrokerEntity>;

  @Column('text')
  state: string;

  /** What the broker was when it was attached: the index of the slot cannot look at another table. */
  @Column('boolean', { name: 'is_exclusive' })
  isExclusive: boolean;

  @Column('uuid', { name: 'attached_by' })
  attachedBy: string;

  @Column('timestamptz', { name: 'attached_at', default: () => 'now()' })
  attachedAt: Date;

  @Column('timestamptz', { name: 'changed_at', default: () => 'now()' })
  changedAt: Date;

  /** Set by people alone: a lease that is over leaves it null, and the broker's next link takes the place again. */
  @Column('timestamptz', { name: 'detached_at', nullable: true })
  detachedAt: Date | null;
}
