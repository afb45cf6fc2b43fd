import { Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';

@Entity('broker_key')
@Unique('broker_key_is_used_once', ['publicKey'])
@Index('broker_key_by_broker', ['brokerId'])
@Index('broker_key_waits_alone', ['brokerId'], {
  unique: true,
  where: 'confirm_by is not null and retired_at is null',
})
export class BrokerKeyEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'broker_key_is_known_by_id' })
  id: string;

  @Column('uuid', { name: 'broker_id' })
  brokerId: string;

  @Column('text', { name: 'public_key' })
  publicKey: string;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;

  @Column('timestamptz', { name: 'retired_at', nullable: true })
  retiredAt: Date | null;

  /** Until when it waits for its first use; null for one that was used, or came with the join. */
  @Column('timestamptz', { name: 'confirm_by', nullable: true })
  confirmBy: Date | null;

  /** When more than one instance was seen to use it last. */
  @Column('timestamptz', { name: 'flagged_at', nullable: true })
  flaggedAt: Date | null;
}
