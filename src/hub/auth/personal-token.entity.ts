import { Column, Entity, ForeignKey, PrimaryColumn, Unique } from 'typeorm';
import { UserEntity } from './user.entity.js';

@Entity('personal_token')
@Unique('personal_token_hash_is_unique', ['hash'])
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
}
