import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import { UserSessionEntity } from './user-session.entity.js';

@Entity('refresh_token')
@Index('refresh_token_by_session', ['sessionId'])
export class RefreshTokenEntity {
  @PrimaryColumn('bytea', { primaryKeyConstraintName: 'refresh_token_is_known_by_hash' })
  hash: Buffer;

  @Column('uuid', { name: 'session_id' })
  @ForeignKey(() => UserSessionEntity, { name: 'refresh_token_is_of_a_session', onDelete: 'CASCADE' })
  sessionId: string;

  /** The one that it was given for; null for the first. */
  @Column('bytea', { name: 'parent_hash', nullable: true })
  parentHash: Buffer | null;
}
