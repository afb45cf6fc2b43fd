import { Check, Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('hub_replica')
@Check('hub_replica_state_is_known', `state in ('starting', 'active', 'draining', 'gone')`)
export class ReplicaEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'hub_replica_is_one_boot' })
  id: string;

  @Column('text')
  name: string;

  @Column('text', { name: 'session_name' })
  sessionName: string;

  @Column('text', { name: 'public_url', nullable: true })
  publicUrl: string | null;

  /** Where other replicas find it; null until it listens for them. */
  @Column('text', { name: 'internal_url', nullable: true })
  internalUrl: string | null;

  @Column('text')
  software: string;

  @Column('integer', { name: 'protocol_min' })
  protocolMin: number;

  @Column('integer', { name: 'protocol_max' })
  protocolMax: number;

  @Column('text')
  state: string;

  @Column('timestamptz', { name: 'started_at', default: () => 'now()' })
  startedAt: Date;

  @Column('timestamptz', { name: 'beating_since', default: () => 'now()' })
  beatingSince: Date;

  @Column('timestamptz', { name: 'last_seen_at', default: () => 'now()' })
  lastSeenAt: Date;

  @Column('timestamptz', { name: 'ended_at', nullable: true })
  endedAt: Date | null;
}

@Entity('hub_identity')
export class HubIdentityEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'hub_identity_is_known_by_id' })
  id: string;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;
}
