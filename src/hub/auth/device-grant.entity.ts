import { Check, Column, Entity, ForeignKey, Index, PrimaryColumn, Unique } from 'typeorm';
import { UserEntity } from './user.entity.js';

/** What somebody has answered to a program that asks to come in. */
export const DEVICE_ANSWERS = ['approved', 'denied'] as const;
export type DeviceAnswer = (typeof DEVICE_ANSWERS)[number];

@Entity('device_grant')
@Unique('device_grant_device_code_is_unique', ['deviceHash'])
@Unique('device_grant_user_code_is_unique', ['userHash'])
@Index('device_grant_by_end', ['expiresAt'])
@Check('device_grant_answer_is_known', `answer in ('approved', 'denied')`)
@Check('device_grant_answer_is_somebodys', `(answer is null) = (answered_by is null)`)
export class DeviceGrantEntity {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'device_grant_is_known_by_id' })
  id: string;

  @Column('bytea', { name: 'device_hash' })
  deviceHash: Buffer;

  @Column('bytea', { name: 'user_hash' })
  userHash: Buffer;

  /** What the program says of itself. */
  @Column('text')
  name: string;

  /** From where it asked. */
  @Column('text')
  address: string;

  /** What that counts as; null in rows of a release that did not tell. */
  @Column('text', { name: 'address_key', nullable: true })
  addressKey: string | null;

  @Column('timestamptz', { name: 'created_at', default: () => 'now()' })
  createdAt: Date;

  @Column('timestamptz', { name: 'expires_at' })
  expiresAt: Date;

  /** Seconds between one question and the next; grows where the program does not keep to it. */
  @Column('integer', { name: 'interval_s' })
  intervalS: number;

  @Column('timestamptz', { name: 'asked_at', nullable: true })
  askedAt: Date | null;

  @Column('text', { nullable: true })
  answer: DeviceAnswer | null;

  @Column('uuid', { name: 'answered_by', nullable: true })
  @ForeignKey(() => UserEntity, { name: 'device_grant_is_answered_by_a_user' })
  answeredBy: string | null;

  @Column('timestamptz', { name: 'redeemed_at', nullable: true })
  redeemedAt: Date | null;
}
