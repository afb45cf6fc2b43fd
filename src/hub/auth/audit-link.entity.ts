import { Column, Entity, PrimaryColumn, Unique } from 'typeorm';

@Entity('audit_link')
@Unique('audit_link_is_one_a_row', ['auditId'])
export class AuditLinkEntity {
  /** From 1, without a gap. */
  @PrimaryColumn('bigint', { primaryKeyConstraintName: 'audit_link_is_known_by_position' })
  position: number;

  @Column('uuid', { name: 'audit_id' })
  auditId: string;

  @Column('bytea', { name: 'row_hash' })
  rowHash: Buffer;

  @Column('bytea')
  hash: Buffer;

  @Column('timestamptz', { name: 'linked_at', default: () => 'now()' })
  linkedAt: Date;
}

/** Rows of the audit that no link holds yet. */
@Entity('audit_unlinked')
export class AuditUnlinkedEntity {
  @PrimaryColumn('uuid', { name: 'audit_id', primaryKeyConstraintName: 'audit_unlinked_is_known_by_row' })
  auditId: string;
}
