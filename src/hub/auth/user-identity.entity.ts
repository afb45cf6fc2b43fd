import { Column, Entity, ForeignKey, PrimaryColumn, Unique } from 'typeorm';
import { UserEntity } from './user.entity.js';

@Entity('user_identity')
@Unique('user_identity_is_one_of_an_issuer', ['userId', 'issuer'])
export class UserIdentityEntity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'user_identity_is_known_by_subject' })
  issuer: string;

  /** What the issuer calls the person, and nobody else ever. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'user_identity_is_known_by_subject' })
  subject: string;

  @Column('uuid', { name: 'user_id' })
  @ForeignKey(() => UserEntity, { name: 'user_identity_is_of_a_user' })
  userId: string;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;
}
