import { Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm';
import { UserEntity } from './user.entity.js';

/** Apart from its user, so that nobody who reads users reads it. */
@Entity('user_password')
export class UserPasswordEntity {
  @PrimaryColumn('uuid', { name: 'user_id', primaryKeyConstraintName: 'user_password_is_one_a_user' })
  @ForeignKey(() => UserEntity, { name: 'user_password_is_of_a_user' })
  userId: string;

  /** Argon2id, with its parameters and its salt. */
  @Column('text')
  hash: string;

  @Column('timestamptz', { name: 'changed_at', default: () => 'now()' })
  changedAt: Date;
}
