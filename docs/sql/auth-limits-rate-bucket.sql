-- src/hub/auth/limits/rate-bucket.repository.ts

-- lease_from_rate_bucket
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
