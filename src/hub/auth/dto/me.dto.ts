import { ApiProperty } from '../../http/described.js';
import {
  PROJECT_ROLES,
  ROLES,
  TOKEN_ACCESSES,
  type Principal,
  type ProjectRole,
  type Role,
  type TokenAccess,
} from '../principal.js';

class MembershipDto {
  @ApiProperty({ format: 'uuid' })
  project: string;

  @ApiProperty({ enum: PROJECT_ROLES, enumName: 'ProjectRole' })
  role: ProjectRole;
}

/** Who the hub takes the caller for. */
export class MeDto {
  @ApiProperty({ enum: ['person'] })
  kind: 'person';

  @ApiProperty({ format: 'uuid' })
  userId: string;

  @ApiProperty()
  name: string;

  @ApiProperty({
    enum: ROLES,
    enumName: 'Role',
    description: 'In the hub; `member` for a token that is limited to projects.',
  })
  role: Role;

  @ApiProperty({ format: 'uuid', description: 'The token that was shown.' })
  credentialId: string;

  @ApiProperty({ enum: TOKEN_ACCESSES, enumName: 'TokenAccess', description: '`read`: it changes nothing.' })
  access: TokenAccess;

  @ApiProperty({
    type: [MembershipDto],
    nullable: true,
    description: 'What the token gives in which projects; null: everything in all.',
  })
  projects: MembershipDto[] | null;

  static of({ kind, userId, name, role, credentialId, access, projects }: Principal): MeDto {
    const given = projects && Object.entries(projects).map(([project, held]) => ({ project, role: held }));
    return { kind, userId, name, role, credentialId, access, projects: given };
  }
}
