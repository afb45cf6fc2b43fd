import { Column, Entity, PrimaryColumn, Unique } from 'typeorm';

@Entity('broker')
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

  /** What the join token gave; it wins over what the broker says of itself. */
  @Column('jsonb', { name: 'given_labels', default: {} })
  givenLabels: Record<string, string>;

  /** null until the broker has connected for the first time. */
  @Column('jsonb', { nullable: true })
  capabilities: string[] | null;

  @Column('text')
  software: string;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;

  @Column('timestamptz', { name: 'revoked_at', nullable: true })
  revokedAt: Date | null;
}
