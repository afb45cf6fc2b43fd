import { Column, Entity, ForeignKey, Index, PrimaryColumn, Unique } from 'typeorm';
import { UserEntity } from './user.entity.js';

@Entity('invite')
@Unique('invite_hash_is_unique', ['hash'])
@Index('invite_by_user', ['userId'])
export class InviteEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'invite_is_known_by_id' })
  id: string;

  @Column('uuid', { name: 'user_id' })
  @ForeignKey(() => UserEntity, { name: 'invite_is_of_a_user' })
  userId: string;

  @Column('bytea')
  hash: Buffer;

  @Column('uuid', { name: 'created_by' })
  createdBy: string;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;

  @Column('timestamptz', { name: 'expires_at' })
  expiresAt: Date;

  @Column('timestamptz', { name: 'redeemed_at', nullable: true })
  redeemedAt: Date | null;

  /** By somebody, or since another was made for its user. */
  @Column('timestamptz', { name: 'revoked_at', nullable: true })
  revokedAt: Date | null;
}
