import { Check, Column, Entity, PrimaryColumn, Unique } from 'typeorm';

@Entity('join_token')
@Unique('join_token_hash_is_unique', ['hash'])
@Check('join_token_has_seats', 'seats > 0 and taken between 0 and seats')
export class JoinTokenEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'join_token_is_known_by_id' })
  id: string;

  @Column('text')
  prefix: string;

  @Column('bytea')
  hash: Buffer;

  @Column('integer')
  seats: number;

  @Column('integer', { default: 0 })
  taken: number;

  @Column('jsonb', { default: {} })
  labels: Record<string, string>;

  /** Whether the brokers that join with it may serve many projects at a time. */
  @Column('boolean', { name: 'is_shared', default: false })
  isShared: boolean;

  @Column('uuid', { name: 'created_by' })
  createdBy: string;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;

  @Column('timestamptz', { name: 'expires_at' })
  expiresAt: Date;

  @Column('timestamptz', { name: 'revoked_at', nullable: true })
  revokedAt: Date | null;
}
