import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('rate_bucket')
export class RateBucketEntity {
  /** The class, whose it is, and the number of the period. */
  @PrimaryColumn('text', { primaryKeyConstraintName: 'rate_bucket_is_one_a_caller' })
  bucket: string;

  @Column('double precision')
  tokens: number;

  /** What was given by the last statement. */
  @Column('integer')
  lease: number;

  @Column('timestamptz', { name: 'filled_at' })
  filledAt: Date;
}
