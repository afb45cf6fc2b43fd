import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { UserEntity } from './user.entity.js';

@Entity('user_session')
@Index('user_session_by_user', ['userId', 'id'])
@Index('user_session_by_end', ['expiresAt'])
export class UserSessionEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'user_session_is_known_by_id' })
  id: string;

  @Column('uuid', { name: 'user_id' })
  @ForeignKey(() => UserEntity, { name: 'user_session_is_of_a_user' })
  userId: string;

  /** The refresh token that was shown last; null before the first. */
  @Column('bytea', { name: 'used_hash', nullable: true })
  usedHash: Buffer | null;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;

  @Column('timestamptz', { name: 'refreshed_at', default: () => 'now()' })
  refreshedAt: Date;

  @Column('timestamptz', { name: 'expires_at' })
  expiresAt: Date;

  @Column('timestamptz', { name: 'ended_at', nullable: true })
  endedAt: Date | null;
}
