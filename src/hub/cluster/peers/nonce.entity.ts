import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('peer_nonce')
export class PeerNonceEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'peer_nonce_is_spent_once' })
  nonce: string;

  @Column('timestamptz', { name: 'expires_at' })
  expiresAt: Date;
}
