import { Transform } from 'class-transformer';
import { IsBoolean, IsIn, Matches, MaxLength, ValidateIf } from 'class-validator';
import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';
import { IsName } from '../../http/name.js';
import { PageQuery } from '../../http/page.js';
import { ROLES, type Role } from '../principal.js';
import type { UserChange, UserRow } from '../user.repository.js';
import { Omittable } from '../../http/omittable.js';

/** As RFC 5321 bounds it. In ASCII alone: what upper and lower case are is then the same for everybody. */
export const EMAIL_MOST = 254;
export const EMAIL = /^[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/i;
const EMAIL_SHOWN = { type: String, nullable: true, maxLength: EMAIL_MOST, example: 'ada@example.com' };

/** An address, which is kept and compared in lower case. null: none. */
function IsEmailAddress(): PropertyDecorator {
  return (target, key) => {
    Matches(EMAIL, { message: 'must be an e-mail address in ASCII, such as ada@example.com' })(target, key);
    MaxLength(EMAIL_MOST)(target, key);
    ValidateIf((_body, value) => value !== undefined && value !== null)(target, key);
  };
}

export class CreateUserDto {
  @IsName()
  name: string;

  @ApiPropertyOptional({ ...EMAIL_SHOWN, default: null })
  @IsEmailAddress()
  email: string | null = null;

  @ApiPropertyOptional({ enum: ROLES, enumName: 'Role', default: 'member' })
  @Omittable()
  @IsIn(ROLES)
  role: Role = 'member';
}

/** What is left out stays as it is. */
export class UpdateUserDto {
  @ApiPropertyOptional({ enum: ROLES, enumName: 'Role' })
  @Omittable()
  @IsIn(ROLES)
  role?: Role;

  @ApiPropertyOptional(EMAIL_SHOWN)
  @IsEmailAddress()
  email?: string | null;

  static toChange({ role, email }: UpdateUserDto): UserChange {
    return { role, email };
  }
}

export class ListUsersQuery extends PageQuery {
  @ApiPropertyOptional({ enum: ROLES, enumName: 'Role' })
  @Omittable()
  @IsIn(ROLES)
  role?: Role;

  @ApiPropertyOptional({ default: false, description: 'Disabled ones as well.' })
  @Omittable()
  @Transform(({ value }) => (value === 'true' ? true : value === 'false' ? false : (value as unknown)))
  @IsBoolean()
  disabled = false;
}

export class UserDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty()
  name: string;

  @ApiProperty(EMAIL_SHOWN)
  email: string | null;

  @ApiProperty({ enum: ROLES, enumName: 'Role' })
  role: Role;

  @ApiProperty({ type: String, format: 'date-time' })
  createdAt: string;

  @ApiProperty({ type: String, format: 'date-time' })
  changedAt: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true, description: 'null: it is let in.' })
  disabledAt: string | null;

  static of({ id, name, email, role, createdAt, changedAt, disabledAt }: UserRow): UserDto {
    return {
      id,
      name,
      email,
      role,
      createdAt: createdAt.toISOString(),
      changedAt: changedAt.toISOString(),
      disabledAt: disabledAt?.toISOString() ?? null,
    };
  }
}

export class UserPageDto {
  @ApiProperty({ type: [UserDto] })
  items: UserDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}
