-- src/hub/auth/limits/rate-bucket.repository.ts

-- lease_from_rate_bucket
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
returning lease, tokens;

-- sweep_full_rate_buckets
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
returning rate_bucket.bucket;
