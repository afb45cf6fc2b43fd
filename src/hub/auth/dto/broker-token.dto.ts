import { Equals, IsString, MaxLength } from 'class-validator';
import { ApiProperty } from '../../http/described.js';

const GRANT_TYPE = 'client_credentials';
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** A client assertion in exchange for an access token; the names are those of RFC 7523 and RFC 6749. */
export class BrokerTokenRequestDto {
  @ApiProperty({ enum: [GRANT_TYPE] })
  @Equals(GRANT_TYPE)
  grant_type: string;

  @ApiProperty({ enum: [ASSERTION_TYPE] })
  @Equals(ASSERTION_TYPE)
  client_assertion_type: string;

  @ApiProperty({
    maxLength: 4096,
    description:
      'A JWT signed with the key of the broker (EdDSA): `iss` and `sub` its id, `aud` the id of the hub, ' +
      '`exp` at most 60 s after `iat`, `jti` a UUID that is used once.',
  })
  @IsString()
  @MaxLength(4096)
  client_assertion: string;
}

export class BrokerTokenDto {
  @ApiProperty()
  access_token: string;

  @ApiProperty({
    enum: ['DPoP'],
    description:
      'It is bound to the key that signed the assertion, and shown with a proof of that key (RFC 9449).',
  })
  token_type: 'DPoP';

  @ApiProperty({ type: 'integer', description: 'Seconds.' })
  expires_in: number;

  @ApiProperty({
    description:
      "Always true: the key that signed is the broker's own, and the one before a new key has ended. Hubs that do not say so may have " +
      'taken a new key without confirming it: a broker then keeps both.',
  })
  key_confirmed: boolean;
}
