import { Check, Column, Entity, PrimaryColumn, Unique } from 'typeorm';
import type { Role } from './principal.js';

@Entity('hub_user')
@Unique('hub_user_name_is_unique', ['name'])
@Unique('hub_user_email_is_unique', ['email'])
@Check('hub_user_email_is_lower_case', `email = lower(email)`)
@Check('hub_user_role_is_known', `role in ('admin', 'member')`)
export class UserEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'hub_user_is_known_by_id' })
  id: string;

  @Column('text')
  name: string;

  @Column('text')
  role: Role;

  /** In lower case, so that nobody has two that differ by that alone. */
  @Column('text', { nullable: true })
  email: string | null;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;

  @Column('timestamptz', { name: 'changed_at', default: () => 'now()' })
  changedAt: Date;

  @Column('timestamptz', { name: 'disabled_at', nullable: true })
  disabledAt: Date | null;
}
