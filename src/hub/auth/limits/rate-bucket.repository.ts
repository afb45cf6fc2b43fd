import { Injectable } from '@nestjs/common';
import { FULL_AFTER_S, type Limit } from '../../config/rate-limits.js';
import { Database } from '../../database/database.js';
import { statement } from '../../database/statement.js';

// One statement that fills the bucket up to now and takes from it, whoever else does at the same moment: the row is locked by
// the insert that finds it. No column of an index is written, so that the row stays on its page. Each period has a row
// of its own, which begins with what the one before has left: while some transaction keeps every version of a row from being
// removed, no lease walks over more of them than this period and the one before have brought.
const LEASE = statement(
  'lease_from_rate_bucket',
  `
  with period as (
    select floor(extract(epoch from statement_timestamp()) / $5::float8)::bigint as number
  ), begun as (
    select
      $1::text || ' ' || period.number as bucket,
      coalesce(
        least($4::float8, before.tokens
          + extract(epoch from greatest(statement_timestamp() - before.filled_at, interval '0')) * $3::float8),
        $4
      ) as tokens
    from period
    left join rate_bucket before on before.bucket = $1 || ' ' || (period.number - 1)
  )
  insert into rate_bucket as held (bucket, tokens, lease, filled_at)
  select
    bucket,
    tokens - least($2::integer, floor(tokens)),
    least($2, floor(tokens))::integer,
    statement_timestamp()
  from begun
  on conflict on constraint rate_bucket_is_one_a_caller do update
  set tokens =
        least($4, held.tokens + extract(epoch from greatest(statement_timestamp() - held.filled_at, interval '0')) * $3)
        - least($2, floor(least($4, held.tokens
            + extract(epoch from greatest(statement_timestamp() - held.filled_at, interval '0')) * $3))),
      lease =
        least($2, floor(least($4, held.tokens
          + extract(epoch from greatest(statement_timestamp() - held.filled_at, interval '0')) * $3)))::integer,
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
   * @param periodS how long a row goes on before the next begins with what it has left: no shorter than a bucket takes to fill, since
   *   only the row before is looked at
   * @returns how many were given, at most as many as were wanted, and what is left
   */
  async lease(
    bucket: string,
    want: number,
    { perS, burst }: Limit,
    periodS = FULL_AFTER_S,
  ): Promise<{ lease: number; tokens: number }> {
    const [row] = await this.database.run<{ lease: number; tokens: number }>(LEASE, [
      bucket,
      want,
      perS,
      burst,
      periodS,
    ]);
    if (row === undefined) throw new Error('an insert gave no row');
    return row;
  }

  /** Forgets buckets that are full by now. @returns how many, at most `most` */
  async sweep(idleS: number, most: number): Promise<number> {
    return (await this.database.run(SWEEP, [idleS, most])).length;
  }
}
