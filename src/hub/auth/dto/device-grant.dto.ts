import { IsString, Matches, MaxLength } from 'class-validator';
import { ApiProperty } from '../../http/described.js';
import type { DeviceGrantRow } from '../device-grant.repository.js';

const CODE_MOST = 256;
/** Printable, since whoever is to approve it reads it on a terminal. */
const NAME = /^[^\p{C}\p{Zl}\p{Zp}]{1,100}$/u;

export class BeginDeviceGrantDto {
  @ApiProperty({ minLength: 1, maxLength: 100, description: 'For people: which program asks, and where.' })
  @IsString()
  @Matches(NAME, { message: 'name must be 1 to 100 printable characters' })
  name: string;
}

export class DeviceCodeDto {
  @ApiProperty({ maxLength: CODE_MOST })
  @IsString()
  @MaxLength(CODE_MOST)
  deviceCode: string;
}

export class UserCodeDto {
  @ApiProperty({ maxLength: CODE_MOST, description: 'In whatever case, with or without the hyphen.' })
  @IsString()
  @MaxLength(CODE_MOST)
  userCode: string;
}

export class BegunDeviceGrantDto {
  @ApiProperty({
    description: 'With it the program asks what has become of it. It is shown here and never again.',
  })
  deviceCode: string;

  @ApiProperty({ description: 'To be shown to the person who is to approve it.', example: 'WDJB-MJHT' })
  userCode: string;

  @ApiProperty({ format: 'uri', description: 'Where it can be approved.' })
  verificationUri: string;

  @ApiProperty({ format: 'uri', description: 'The same with the code in it.' })
  verificationUriComplete: string;

  @ApiProperty({ type: 'integer' })
  expiresInS: number;

  @ApiProperty({ type: 'integer', description: 'Seconds between one question and the next, at the least.' })
  intervalS: number;
}

export class DeviceGrantDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty({ description: 'What the program says of itself.' })
  name: string;

  @ApiProperty({ description: 'From where it asked.' })
  address: string;

  @ApiProperty({ type: String, format: 'date-time' })
  createdAt: string;

  @ApiProperty({ type: String, format: 'date-time' })
  expiresAt: string;

  static of({ id, name, address, createdAt, expiresAt }: DeviceGrantRow): DeviceGrantDto {
    return { id, name, address, createdAt: createdAt.toISOString(), expiresAt: expiresAt.toISOString() };
  }
}
