import { Check, Column, Entity, PrimaryColumn, Unique } from 'typeorm';
import type { Role } from './principal.js';

@Entity('hub_user')
@Unique('hub_user_name_is_unique', ['name'])
@Check('hub_user_role_is_known', `role in ('admin', 'member')`)
export class UserEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'hub_user_is_known_by_id' })
  id: string;

  @Column('text')
  name: string;

  @Column('text')
  role: Role;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;
}
