import { ApiProperty } from '../../http/described.js';
import { ROLES, type Principal, type Role } from '../principal.js';

/** Who the hub takes the caller for. */
export class MeDto {
  @ApiProperty({ enum: ['person'] })
  kind: 'person';

  @ApiProperty({ format: 'uuid' })
  userId: string;

  @ApiProperty()
  name: string;

  @ApiProperty({ enum: ROLES, enumName: 'Role' })
  role: Role;

  @ApiProperty({ format: 'uuid', description: 'The token that was shown.' })
  credentialId: string;

  static of({ kind, userId, name, role, credentialId }: Principal): MeDto {
    return { kind, userId, name, role, credentialId };
  }
}
