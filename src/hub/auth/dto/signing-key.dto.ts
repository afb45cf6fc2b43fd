import { ApiProperty } from '../../http/described.js';
import type { SigningKeyRow } from '../signing-key.repository.js';

/** A public key as RFC 8037 has it. */
export class JwkDto {
  @ApiProperty({ enum: ['OKP'] })
  kty: 'OKP';

  @ApiProperty({ enum: ['Ed25519'] })
  crv: 'Ed25519';

  @ApiProperty()
  x: string;

  @ApiProperty({ format: 'uuid', description: 'As tokens name it.' })
  kid: string;

  @ApiProperty({ enum: ['sig'] })
  use: 'sig';

  @ApiProperty({ enum: ['EdDSA'] })
  alg: 'EdDSA';
}

export class JwksDto {
  @ApiProperty({ type: [JwkDto] })
  keys: JwkDto[];

  static keyOf({ id: kid, publicJwk: { x = '' } }: SigningKeyRow): JwkDto {
    return { kty: 'OKP', crv: 'Ed25519', x, kid, use: 'sig', alg: 'EdDSA' };
  }
}

export class SigningKeyDto {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty({ format: 'date-time' })
  createdAt: string;

  @ApiProperty({
    type: String,
    format: 'date-time',
    nullable: true,
    description: 'Since when it signs nothing; what it had signed is taken for an hour from then on.',
  })
  retiredAt: string | null;

  static of({
    id,
    createdAt,
    retiredAt,
  }: Pick<SigningKeyRow, 'id' | 'createdAt' | 'retiredAt'>): SigningKeyDto {
    return { id, createdAt: createdAt.toISOString(), retiredAt: retiredAt?.toISOString() ?? null };
  }
}

export class SigningKeysDto {
  @ApiProperty({ type: [SigningKeyDto] })
  items: SigningKeyDto[];
}
