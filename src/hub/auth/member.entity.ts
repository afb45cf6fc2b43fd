import { Check, Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';
import type { ProjectRole } from './principal.js';
import { UserEntity } from './user.entity.js';

/** What a person is in a project. */
@Entity('project_member')
@Check('project_member_role_is_known', `role in ('viewer', 'operator', 'admin')`)
@Index('project_member_by_user', ['userId'])
export class MemberEntity {
  @PrimaryColumn('uuid', {
    name: 'project_id',
    primaryKeyConstraintName: 'project_member_is_one_a_project',
  })
  projectId: string;

  @PrimaryColumn('uuid', {
    name: 'user_id',
    primaryKeyConstraintName: 'project_member_is_one_a_project',
  })
  @ForeignKey(() => UserEntity, { name: 'project_member_is_a_user' })
  userId: string;

  @Column('text')
  role: ProjectRole;

  @Column('uuid', { name: 'added_by' })
  addedBy: string;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;

  @Column('timestamptz', { name: 'changed_at', default: () => 'now()' })
  changedAt: Date;
}
