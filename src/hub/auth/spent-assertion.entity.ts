import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('spent_assertion')
export class SpentAssertionEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'spent_assertion_is_spent_once' })
  jti: string;

  @Column('timestamptz', { name: 'expires_at' })
  expiresAt: Date;
}
