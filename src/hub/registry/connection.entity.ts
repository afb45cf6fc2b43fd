import { Check, Column, Entity, JoinColumn, OneToOne, PrimaryColumn, type Relation } from 'typeorm';
import { BrokerEntity } from './broker.entity.js';

@Entity('broker_connection')
@Check('broker_connection_transport_is_known', `transport in ('websocket', 'poll')`)
export class ConnectionEntity {
  @PrimaryColumn('uuid', { name: 'broker_id', primaryKeyConstraintName: 'broker_connection_is_one_a_broker' })
  brokerId: string;

  @OneToOne(() => BrokerEntity)
  @JoinColumn({ name: 'broker_id', foreignKeyConstraintName: 'broker_connection_is_of_a_broker' })
  broker: Relation<BrokerEntity>;

  @Column('uuid', { name: 'replica_id', nullable: true })
  replicaId: string | null;

  @Column('bigint')
  epoch: number;

  @Column('uuid', { name: 'connection_id' })
  connectionId: string;

  @Column('text')
  transport: string;

  @Column('uuid', { name: 'boot_id' })
  bootId: string;

  @Column('uuid', { name: 'journal_id' })
  journalId: string;

  /** Dispatches that may be unacknowledged on it at a time. */
  @Column('integer', { name: 'window_size', default: 1 })
  windowSize: number;

  @Column('timestamptz', { default: () => 'now()' })
  since: Date;

  @Column('timestamptz', { name: 'released_at', nullable: true })
  releasedAt: Date | null;

  @Column('text', { name: 'release_reason', nullable: true })
  releaseReason: string | null;

  /**
   * Since when nothing was heard of the broker, as the replica said that let go of it. Older than `since`, it is of an
   * earlier connection.
   */
  @Column('timestamptz', { name: 'silent_since', nullable: true })
  silentSince: Date | null;
}
