import { Injectable } from '@nestjs/common';
import type { Limit } from '../../config/rate-limits.js';
import { Database } from '../../database/database.js';
import { statement } from '../../database/statement.js';

// One statement that fills the bucket up to now and takes from it, whoever else does at the same moment: the row is locked by
// the insert that finds it. No column of an index is written, so that the row stays on its page.
const LEASE = statement(
  'lease_from_rate_bucket',
  `
  insert into rate_bucket as held (bucket, tokens, lease, filled_at)
  values ($1, $4::float8 - least($2::integer, $4::float8), least($2::integer, $4::float8)::integer, statement_timestamp())
  on conflict on constraint rate_bucket_is_one_a_caller do update
  set tokens =
        least($4, held.tokens + extract(epoch from greatest(statement_timestamp() - held.filled_at, interval '0')) * $3::float8)
        - least($2, floor(least($4, held.tokens
            + extract(epoch from greatest(statement_timestamp() - held.filled_at, interval '0')) * $3::float8))),
      lease =
        least($2, floor(least($4, held.tokens
          + extract(epoch from greatest(statement_timestamp() - held.filled_at, interval '0')) * $3::float8)))::integer,
      filled_at = statement_timestamp()
  returning lease, tokens
  `,
);

const SWEEP = statement(
  'sweep_full_rate_buckets',
  `
  with full_ones as (
    select bucket
    from rate_bucket
    where filled_at < now() - make_interval(secs => $1)
    limit $2
    for update skip locked
  )
  delete from rate_bucket
  using full_ones
  where rate_bucket.bucket = full_ones.bucket
  returning rate_bucket.bucket
  `,
);

/** SQL of what callers may still ask. */
@Injectable()
export class RateBucketRepository {
  constructor(private readonly database: Database) {}

  /**
   * Takes from a bucket, which all replicas share.
   *
   * @returns how many were given, at most as many as were wanted, and what is left
   */
  async lease(
    bucket: string,
    want: number,
    { perS, burst }: Limit,
  ): Promise<{ lease: number; tokens: number }> {
    const [row] = await this.database.run<{ lease: number; tokens: number }>(LEASE, [
      bucket,
      want,
      perS,
      burst,
    ]);
    if (row === undefined) throw new Error('an insert gave no row');
    return row;
  }

  /** Forgets buckets that are full by now. @returns how many, at most `most` */
  async sweep(idleS: number, most: number): Promise<number> {
    return (await this.database.run(SWEEP, [idleS, most])).length;
  }
}
