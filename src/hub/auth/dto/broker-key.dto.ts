import { IsString, Length, MaxLength } from 'class-validator';
import { ApiProperty } from '../../http/described.js';

export class RotateBrokerKeyDto {
  @ApiProperty({
    maxLength: 4096,
    description: 'As for an access token, signed with the key that the broker has. It is used up by this.',
  })
  @IsString()
  @MaxLength(4096)
  assertion: string;

  @ApiProperty({ description: 'The new Ed25519 public key, base64url of its 32 bytes.' })
  @IsString()
  @Length(43, 43)
  publicKey: string;
}

export class BrokerKeyBegunDto {
  @ApiProperty({ description: 'Of the new key (RFC 7638).' })
  thumbprint: string;

  @ApiProperty({ format: 'date-time', description: 'When it lapses, if it was not used by then.' })
  confirmBy: string;
}
