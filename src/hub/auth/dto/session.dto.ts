import { IsString, Length, MaxLength } from 'class-validator';
import { ApiProperty, ApiPropertyOptional } from '../../http/described.js';
import type { SessionRow } from '../session.repository.js';
import type { Signed } from '../sessions.js';
import { Omittable } from '../../http/omittable.js';
import { EMAIL_MOST } from './user.dto.js';

const PASSWORD = { least: 12, most: 256 };
const TOKEN_MOST = 256;

/** A password that is to be set. Its length is all that is asked of it. */
function IsNewPassword(): PropertyDecorator {
  return (target, key) => {
    ApiProperty({ minLength: PASSWORD.least, maxLength: PASSWORD.most })(target, key);
    IsString()(target, key);
    Length(PASSWORD.least, PASSWORD.most)(target, key);
  };
}

export class SignInDto {
  @ApiProperty({ maxLength: EMAIL_MOST, description: 'A name, or an e-mail address in whatever case.' })
  @IsString()
  @Length(1, EMAIL_MOST)
  user: string;

  @ApiProperty({ maxLength: PASSWORD.most })
  @IsString()
  @MaxLength(PASSWORD.most)
  password: string;
}

export class RefreshDto {
  @ApiProperty({ maxLength: TOKEN_MOST })
  @IsString()
  @MaxLength(TOKEN_MOST)
  refreshToken: string;
}

export class RedeemInviteDto {
  @ApiProperty({ maxLength: TOKEN_MOST })
  @IsString()
  @MaxLength(TOKEN_MOST)
  token: string;

  @IsNewPassword()
  password: string;
}

export class ChangePasswordDto {
  @ApiPropertyOptional({ maxLength: PASSWORD.most, description: 'Left out by who has none.' })
  @Omittable()
  @IsString()
  @MaxLength(PASSWORD.most)
  current?: string;

  @IsNewPassword()
  password: string;
}

export class SignedInDto {
  @ApiProperty({ format: 'uuid' })
  sessionId: string;

  @ApiProperty({ description: 'To be shown as `Authorization: Bearer`.' })
  accessToken: string;

  @ApiProperty({ type: 'integer', description: 'Seconds for which the access token is good.' })
  expiresInS: number;

  @ApiProperty({
    description:
      'Gives another pair, and is spent once a token of that pair was used here. Shown again after that, it ends the session.',
  })
  refreshToken: string;

  static of({ sessionId, accessToken, expiresInS, refreshToken }: Signed): SignedInDto {
    return { sessionId, accessToken, expiresInS, refreshToken };
  }
}

export class SessionDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty({ description: 'Whether it is that of the request.' })
  isCurrent: boolean;

  @ApiProperty({ type: String, format: 'date-time' })
  createdAt: string;

  @ApiProperty({ type: String, format: 'date-time' })
  refreshedAt: string;

  @ApiProperty({ type: String, format: 'date-time' })
  expiresAt: string;

  static of({ id, createdAt, refreshedAt, expiresAt }: SessionRow, currentId: string): SessionDto {
    return {
      id,
      isCurrent: id === currentId,
      createdAt: createdAt.toISOString(),
      refreshedAt: refreshedAt.toISOString(),
      expiresAt: expiresAt.toISOString(),
    };
  }
}

export class SessionPageDto {
  @ApiProperty({ type: [SessionDto] })
  items: SessionDto[];

  @ApiProperty({ type: String, nullable: true })
  nextCursor: string | null;
}
