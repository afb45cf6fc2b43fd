import type { JWK } from 'jose';
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('signing_key')
export class SigningKeyEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'signing_key_is_known_by_id' })
  id: string;

  @Column('jsonb', { name: 'public_jwk' })
  publicJwk: JWK;

  @Column('bytea', { name: 'sealed_private' })
  sealedPrivate: Buffer;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;

  @Column('timestamptz', { name: 'retired_at', nullable: true })
  retiredAt: Date | null;
}
