import { Column, Entity, Index, JoinColumn, ManyToOne, PrimaryColumn, type Relation } from 'typeorm';
import { BrokerEntity } from './broker.entity.js';

const ONE_AN_EPOCH = 'broker_stay_is_one_an_epoch';

@Entity('broker_stay')
@Index('broker_stay_by_end', ['endedAt'])
export class StayEntity {
  @PrimaryColumn('uuid', { name: 'broker_id', primaryKeyConstraintName: ONE_AN_EPOCH })
  brokerId: string;

  @ManyToOne(() => BrokerEntity)
  @JoinColumn({ name: 'broker_id', foreignKeyConstraintName: 'broker_stay_is_of_a_broker' })
  broker: Relation<BrokerEntity>;

  @PrimaryColumn('bigint', { primaryKeyConstraintName: ONE_AN_EPOCH })
  epoch: number;

  /** That of the connection. */
  @Column('uuid')
  id: string;

  @Column('uuid', { name: 'replica_id' })
  replicaId: string;

  @Column({ type: 'timestamptz', name: 'began_at', precision: 3 })
  beganAt: Date;

  /** null while the replica owns the broker. */
  @Column({ type: 'timestamptz', name: 'ended_at', precision: 3, nullable: true })
  endedAt: Date | null;

  @Column('text', { name: 'end_reason', nullable: true })
  endReason: string | null;
}
