import { Check, Column, Entity, ForeignKey, Index, PrimaryColumn, Unique } from 'typeorm';
import type { TokenAccess } from './principal.js';
import { UserEntity } from './user.entity.js';

@Entity('personal_token')
@Unique('personal_token_hash_is_unique', ['hash'])
@Check('personal_token_access_is_known', `access in ('read', 'write')`)
@Index('personal_token_by_user', ['userId', 'id'])
export class PersonalTokenEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'personal_token_is_known_by_id' })
  id: string;

  @Column('uuid', { name: 'user_id' })
  @ForeignKey(() => UserEntity, { name: 'personal_token_is_of_a_user' })
  userId: string;

  @Column('text')
  name: string;

  @Column('text')
  prefix: string;

  @Column('bytea')
  hash: Buffer;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;

  @Column('timestamptz', { name: 'expires_at', nullable: true })
  expiresAt: Date | null;

  @Column('timestamptz', { name: 'revoked_at', nullable: true })
  revokedAt: Date | null;

  @Column('text', { default: 'write' })
  access: TokenAccess;

  /** The projects that it is good for; null for all of its user. */
  @Column('uuid', { name: 'project_ids', array: true, nullable: true })
  projectIds: string[] | null;

  /** To some minutes. */
  @Column('timestamptz', { name: 'last_used_at', nullable: true })
  lastUsedAt: Date | null;
}
