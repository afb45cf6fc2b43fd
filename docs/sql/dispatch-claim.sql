-- src/hub/dispatch/claim.repository.ts

-- read_ahead
select ahead.*
from (select unnest($1::uuid[]) as broker_id, unnest($2::bigint[]) as after_seq, unnest($3::integer[]) as most) asked
cross join lateral (
  select dispatch.id, dispatch.broker_id as "brokerId", dispatch.seq, dispatch.state, dispatch.attempt,
         dispatch.op, dispatch.lane, dispatch.ordering_key as "orderingKey", dispatch.contract,
         greatest(0, ceil(date_part('epoch', greatest(dispatch.retry_at, dispatch.not_before) - now()) * 1000))::bigint
           as "restMs",
         dispatch.attempt > 0 as "restsWithKey",
         dispatch.cancel_requested_at is not null as "cancelRequested",
         case when args_bytes <= $4 then dispatch.args end as args, args_bytes as "argsBytes",
         greatest(0, floor(date_part('epoch', dispatch.deadline_at - now()) * 1000))::bigint as "remainingMs",
         dispatch.initiator ->> 'traceparent' as traceparent
  from broker_dispatch dispatch
  cross join lateral (
    select case when pg_column_compression(dispatch.args) is null then pg_column_size(dispatch.args) else 262144 end as args_bytes
  ) size
  where dispatch.broker_id = asked.broker_id and dispatch.seq > asked.after_seq
  order by dispatch.seq
  limit asked.most
) ahead;

-- claim_by_ids
with asking as materialized (
  select asked.broker_id, asked.epoch,
         pg_advisory_xact_lock_shared(hashtextextended(asked.broker_id::text, 1)) as turn
  from (
    select * from (select unnest($2::uuid[]) as broker_id, unnest($3::bigint[]) as epoch) asked order by broker_id
  ) asked
),
owned as materialized (
  select connection.broker_id, connection.epoch, connection.journal_id, coalesce(floor.seq, 0) as floor
  from asking
  join broker_connection connection on connection.broker_id = asking.broker_id
  left join broker_dispatch_floor floor on floor.broker_id = asking.broker_id
  where connection.replica_id = $1 and connection.epoch = asking.epoch
  order by connection.broker_id
  for share of connection
),
locked as materialized (
  select dispatch.*, asked.epoch, asked.journal_id, asked.floor
  from (
    select asked.id, owned.broker_id, owned.epoch, owned.journal_id, owned.floor
    from (select unnest($4::uuid[]) as id, unnest($8::uuid[]) as broker_id, generate_subscripts($4::uuid[], 1) as place) asked
    join owned on owned.broker_id = asked.broker_id
    order by asked.place
  ) asked
  cross join lateral (
    select dispatch.id, dispatch.broker_id, dispatch.seq, dispatch.ordering_key, dispatch.contract
    from broker_dispatch dispatch
    where dispatch.id between asked.id and asked.id
      and dispatch.broker_id is not distinct from asked.broker_id
      and coalesce(dispatch.link_epoch = asked.epoch, true)
      and dispatch.state = any ($5::text[])
      and dispatch.deadline_at > now()
      and coalesce(greatest(dispatch.retry_at, dispatch.not_before) <= clock_timestamp(), true)
    for update of dispatch skip locked
  ) dispatch
),
claimable as (
  select locked.id, locked.epoch, locked.journal_id
  from locked
  where locked.ordering_key is null or not exists (
    select from broker_dispatch other
    where other.ordering_key is not null
      and (other.ordering_key, other.broker_id, other.seq) between (locked.ordering_key, locked.broker_id, locked.floor) and (locked.ordering_key, locked.broker_id, 9223372036854775807)
      and other.id <> locked.id
      and case
        when other.state <> all ($5::text[]) then not (other.state = 'running' and other.op = any ($7::text[]))
        when other.seq > locked.seq then locked.contract = 'latest_only' and other.contract = 'latest_only'
        else other.attempt > 0 or coalesce(other.not_before <= clock_timestamp(), true)
      end
  )
),
claimed as (
  update broker_dispatch dispatch
  set state = $6,
      attempt = dispatch.attempt + 1,
      claimed_by = $1,
      claim_epoch = claimable.epoch,
      claim_journal = claimable.journal_id,
      claimed_at = now(),
      trail = case when cardinality(dispatch.trail) < 64 then dispatch.trail || ('{"state":"' || $6::text || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || $1::uuid || '","epoch":' || claimable.epoch || ',"attempt":' || (dispatch.attempt + 1) || '}') else append_step(dispatch.trail, ('{"state":"' || $6::text || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || $1::uuid || '","epoch":' || claimable.epoch || ',"attempt":' || (dispatch.attempt + 1) || '}')::jsonb) end
  from claimable
  where dispatch.id between claimable.id and claimable.id
  returning dispatch.id, dispatch.broker_id, dispatch.seq, dispatch.attempt,
            greatest(0, floor(date_part('epoch', dispatch.deadline_at - now()) * 1000))::bigint as remaining_ms,
            date_part('epoch', now() - greatest(dispatch.created_at, dispatch.not_before)) as age_s
)
select asking.broker_id as "brokerId",
       bool_or(owned.broker_id is not null) as owned,
       coalesce(
         json_agg(json_build_object(
           'id', claimed.id, 'attempt', claimed.attempt, 'remainingMs', claimed.remaining_ms, 'ageS', claimed.age_s
         ) order by claimed.seq) filter (where claimed.id is not null),
         '[]'
       ) as claimed
from asking
left join owned on owned.broker_id = asking.broker_id
left join claimed on claimed.broker_id = asking.broker_id
group by asking.broker_id;

-- claim_by_ids_of_one
with asking as materialized (
  select asked.broker_id, asked.epoch,
         pg_advisory_xact_lock_shared(hashtextextended(asked.broker_id::text, 1)) as turn
  from (
    select * from (select $2::uuid as broker_id, $3::bigint as epoch) asked
  ) asked
),
owned as materialized (
  select connection.broker_id, connection.epoch, connection.journal_id, coalesce(floor.seq, 0) as floor
  from asking
  join broker_connection connection on connection.broker_id = asking.broker_id
  left join broker_dispatch_floor floor on floor.broker_id = asking.broker_id
  where connection.replica_id = $1 and connection.epoch = asking.epoch
  for share of connection
),
locked as materialized (
  select dispatch.*, asked.epoch, asked.journal_id, asked.floor
  from (
    select asked.id, owned.broker_id, owned.epoch, owned.journal_id, owned.floor
    from (select $4::uuid as id, $8::uuid as broker_id, 1 as place) asked
    join owned on true
  ) asked
  cross join lateral (
    select dispatch.id, dispatch.broker_id, dispatch.seq, dispatch.ordering_key, dispatch.contract
    from broker_dispatch dispatch
    where dispatch.id between asked.id and asked.id
      and dispatch.broker_id is not distinct from asked.broker_id
      and coalesce(dispatch.link_epoch = asked.epoch, true)
      and dispatch.state = any ($5::text[])
      and dispatch.deadline_at > now()
      and coalesce(greatest(dispatch.retry_at, dispatch.not_before) <= clock_timestamp(), true)
    for update of dispatch skip locked
  ) dispatch
),
claimable as (
  select locked.id, locked.epoch, locked.journal_id
  from locked
  where locked.ordering_key is null or not exists (
    select from broker_dispatch other
    where other.ordering_key is not null
      and (other.ordering_key, other.broker_id, other.seq) between (locked.ordering_key, locked.broker_id, locked.floor) and (locked.ordering_key, locked.broker_id, 9223372036854775807)
      and other.id <> locked.id
      and case
        when other.state <> all ($5::text[]) then not (other.state = 'running' and other.op = any ($7::text[]))
        when other.seq > locked.seq then locked.contract = 'latest_only' and other.contract = 'latest_only'
        else other.attempt > 0 or coalesce(other.not_before <= clock_timestamp(), true)
      end
  )
),
claimed as (
  update broker_dispatch dispatch
  set state = $6,
      attempt = dispatch.attempt + 1,
      claimed_by = $1,
      claim_epoch = claimable.epoch,
      claim_journal = claimable.journal_id,
      claimed_at = now(),
      trail = case when cardinality(dispatch.trail) < 64 then dispatch.trail || ('{"state":"' || $6::text || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || $1::uuid || '","epoch":' || claimable.epoch || ',"attempt":' || (dispatch.attempt + 1) || '}') else append_step(dispatch.trail, ('{"state":"' || $6::text || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || $1::uuid || '","epoch":' || claimable.epoch || ',"attempt":' || (dispatch.attempt + 1) || '}')::jsonb) end
  from claimable
  where dispatch.id between claimable.id and claimable.id
  returning dispatch.id, dispatch.broker_id, dispatch.seq, dispatch.attempt,
            greatest(0, floor(date_part('epoch', dispatch.deadline_at - now()) * 1000))::bigint as remaining_ms,
            date_part('epoch', now() - greatest(dispatch.created_at, dispatch.not_before)) as age_s
)
select asking.broker_id as "brokerId",
       owned.broker_id is not null as owned,
       case when claimed.id is null then '[]' else json_build_array(json_build_object(
           'id', claimed.id, 'attempt', claimed.attempt, 'remainingMs', claimed.remaining_ms, 'ageS', claimed.age_s
         )) end as claimed
from asking
left join owned on true
left join claimed on true;

-- read_args
select id, args from broker_dispatch where id = any ($1::uuid[]);
