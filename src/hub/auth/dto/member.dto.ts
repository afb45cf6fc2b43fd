import { IsIn } from 'class-validator';
import type { MemberRow } from '../member.repository.js';
import { PROJECT_ROLES, type ProjectRole } from '../principal.js';
import { ApiProperty } from '../../http/described.js';

export class SetMemberDto {
  @ApiProperty({ enum: PROJECT_ROLES, enumName: 'ProjectRole' })
  @IsIn(PROJECT_ROLES)
  role: ProjectRole;
}

export class MemberDto {
  @ApiProperty({ format: 'uuid', description: "The user's." })
  userId: string;

  @ApiProperty()
  name: string;

  @ApiProperty({ type: String, nullable: true })
  email: string | null;

  @ApiProperty({ enum: PROJECT_ROLES, enumName: 'ProjectRole' })
  role: ProjectRole;

  @ApiProperty({ type: String, format: 'date-time' })
  createdAt: string;

  @ApiProperty({ type: String, format: 'date-time' })
  changedAt: string;

  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'null: the user is let in.',
  })
  disabledAt: string | null;

  static of({ id, name, email, role, createdAt, changedAt, disabledAt }: MemberRow): MemberDto {
    return {
      userId: id,
      name,
      email,
      role,
      createdAt: createdAt.toISOString(),
      changedAt: changedAt.toISOString(),
      disabledAt: disabledAt?.toISOString() ?? null,
    };
  }
}

export class MemberPageDto {
  @ApiProperty({ type: [MemberDto] })
  items: MemberDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}
