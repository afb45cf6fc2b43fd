-- src/hub/dispatch/insert.repository.ts

-- insert_dispatches
with counted as materialized (
  select asked.broker_id, live.depth
  from (select unnest($20::uuid[]) as broker_id) asked
  left join lateral (
    select seq from broker_dispatch_floor floor where floor.broker_id = asked.broker_id offset 0
  ) floor on true
  cross join lateral (
    select count(*) as depth from (
      select from broker_dispatch dispatch
      where dispatch.broker_id = asked.broker_id and dispatch.seq >= coalesce(floor.seq, 0)
      limit $21
    ) live
  ) live
),
about as materialized (
  select asked.broker_id, broker.id, broker.name, broker.capabilities, broker.software, broker.version_major,
         broker.version_minor, connection.replica_id as owner, connection.epoch as link, counted.depth
  from (select unnest($18::uuid[]) as broker_id) asked
  left join lateral (
    select * from broker where broker.id = asked.broker_id and broker.revoked_at is null offset 0
  ) broker on true
  left join lateral (
    select * from broker_connection connection where connection.broker_id = asked.broker_id offset 0
  ) connection on true
  left join counted on counted.broker_id = asked.broker_id
),
input as materialized (
  select input.*, broker.name as broker_name, broker.owner, broker.link, broker.depth,
         case
           when broker.id is null then 'broker_unknown'
           when input.capability is not null and not broker.capabilities ? input.capability then 'incapable'
           when input.contract = 'now_or_fail' and broker.owner is null then 'offline'
           when broker.depth + row_number() over (partition by input.broker_id order by input.place) > $21
             then 'full'
         end as refusal
  from (select unnest($1::uuid[]) as id, unnest($2::uuid[]) as broker_id, unnest($3::uuid[]) as agent_id, unnest($4::text[]) as op, unnest($5::text[]) as args, unnest($6::text[]) as capability, unnest($7::text[]) as lane, unnest($8::text[]) as ordering_key, unnest($9::double precision[]) as deadline_s, unnest($10::text[]) as contract, unnest($11::timestamptz[]) as not_before, unnest($12::uuid[]) as redrive_of, unnest($13::text[]) as initiator, unnest($14::text[]) as scope, unnest($15::text[]) as key, unnest($16::text[]) as request_hash, generate_subscripts($1::uuid[], 1) as place) input
  join about broker on broker.broker_id = input.broker_id
),
kept as (
  insert into idempotency_key (scope, key, request_hash, subject_id)
  select scope, key, request_hash, id
  from input
  where key is not null and refusal is null
  order by scope, key
  on conflict do nothing
  returning subject_id
),
inserted as (
  insert into broker_dispatch
    (id, broker_id, agent_id, op, args, lane, ordering_key, state, contract, link_epoch, not_before, deadline_at,
     origin_replica, redrive_of, initiator, trail)
  select id, broker_id, agent_id, op, args::jsonb, lane, ordering_key, 'pending', contract,
         case when contract = any ($19::text[]) and owner is not null then link end, not_before,
         now() + make_interval(secs => deadline_s), $17::uuid, redrive_of, initiator::jsonb,
         array['{"state":"' || 'pending' || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || $17::uuid || '"}']
  from input
  where refusal is null and (key is null or exists (select from kept where kept.subject_id = input.id))
  order by place
  returning id, seq
)
select input.id, inserted.seq, input.refusal, input.owner, input.depth, input.broker_name as "brokerName",
       case when input.place = 1 then now() end as "createdAt"
from input
left join inserted on inserted.id = input.id
order by input.place;

-- insert_dispatches_lean
with about as materialized (
  select asked.broker_id, broker.id, broker.name, broker.capabilities, broker.software, broker.version_major,
         broker.version_minor, connection.replica_id as owner, connection.epoch as link, null::bigint as depth
  from (select unnest($18::uuid[]) as broker_id) asked
  left join lateral (
    select * from broker where broker.id = asked.broker_id and broker.revoked_at is null offset 0
  ) broker on true
  left join lateral (
    select * from broker_connection connection where connection.broker_id = asked.broker_id offset 0
  ) connection on true
),
input as materialized (
  select input.*, broker.name as broker_name, broker.owner, broker.link, broker.depth,
         case
           when broker.id is null then 'broker_unknown'
           when input.capability is not null and not broker.capabilities ? input.capability then 'incapable'
           when input.contract = 'now_or_fail' and broker.owner is null then 'offline'
         end as refusal
  from (select unnest($1::uuid[]) as id, unnest($2::uuid[]) as broker_id, unnest($3::uuid[]) as agent_id, unnest($4::text[]) as op, unnest($5::text[]) as args, unnest($6::text[]) as capability, unnest($7::text[]) as lane, unnest($8::text[]) as ordering_key, unnest($9::double precision[]) as deadline_s, unnest($10::text[]) as contract, unnest($11::timestamptz[]) as not_before, unnest($12::uuid[]) as redrive_of, unnest($13::text[]) as initiator, unnest($14::text[]) as scope, unnest($15::text[]) as key, unnest($16::text[]) as request_hash, generate_subscripts($1::uuid[], 1) as place) input
  join about broker on broker.broker_id = input.broker_id
),
inserted as (
  insert into broker_dispatch
    (id, broker_id, agent_id, op, args, lane, ordering_key, state, contract, link_epoch, not_before, deadline_at,
     origin_replica, redrive_of, initiator, trail)
  select id, broker_id, agent_id, op, args::jsonb, lane, ordering_key, 'pending', contract,
         case when contract = any ($19::text[]) and owner is not null then link end, not_before,
         now() + make_interval(secs => deadline_s), $17::uuid, redrive_of, initiator::jsonb,
         array['{"state":"' || 'pending' || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || $17::uuid || '"}']
  from input
  where refusal is null
  order by place
  returning id, seq
)
select input.id, inserted.seq, input.refusal, input.owner, input.depth, input.broker_name as "brokerName",
       case when input.place = 1 then now() end as "createdAt"
from input
left join inserted on inserted.id = input.id
order by input.place;

-- insert_dispatches_lean_of_one
with about as materialized (
  select asked.broker_id, broker.id, broker.name, broker.capabilities, broker.software, broker.version_major,
         broker.version_minor, connection.replica_id as owner, connection.epoch as link, null::bigint as depth
  from (select $18::uuid as broker_id) asked
  left join lateral (
    select * from broker where broker.id = asked.broker_id and broker.revoked_at is null offset 0
  ) broker on true
  left join lateral (
    select * from broker_connection connection where connection.broker_id = asked.broker_id offset 0
  ) connection on true
),
input as materialized (
  select input.*, broker.name as broker_name, broker.owner, broker.link, broker.depth,
         case
           when broker.id is null then 'broker_unknown'
           when input.capability is not null and not broker.capabilities ? input.capability then 'incapable'
           when input.contract = 'now_or_fail' and broker.owner is null then 'offline'
         end as refusal
  from (select $1::uuid as id, $2::uuid as broker_id, $3::uuid as agent_id, $4::text as op, $5::text as args, $6::text as capability, $7::text as lane, $8::text as ordering_key, $9::double precision as deadline_s, $10::text as contract, $11::timestamptz as not_before, $12::uuid as redrive_of, $13::text as initiator, $14::text as scope, $15::text as key, $16::text as request_hash, 1 as place) input
  join about broker on true
),
inserted as (
  insert into broker_dispatch
    (id, broker_id, agent_id, op, args, lane, ordering_key, state, contract, link_epoch, not_before, deadline_at,
     origin_replica, redrive_of, initiator, trail)
  select id, broker_id, agent_id, op, args::jsonb, lane, ordering_key, 'pending', contract,
         case when contract = any ($19::text[]) and owner is not null then link end, not_before,
         now() + make_interval(secs => deadline_s), $17::uuid, redrive_of, initiator::jsonb,
         array['{"state":"' || 'pending' || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || $17::uuid || '"}']
  from input
  where refusal is null
  returning id, seq
)
select input.id, inserted.seq, input.refusal, input.owner, input.depth, input.broker_name as "brokerName",
       case when input.place = 1 then now() end as "createdAt"
from input
left join inserted on true;

-- insert_dispatches_handing_off
with handing as materialized (
  select asked.broker_id, asked.epoch,
         pg_try_advisory_xact_lock_shared(hashtextextended(asked.broker_id::text, 1)) as has_turn
  from (
    select * from (select unnest($20::uuid[]) as broker_id, unnest($21::bigint[]) as epoch) asked order by broker_id
  ) asked
),
owned as materialized (
  select connection.broker_id, connection.replica_id, connection.epoch, connection.journal_id,
         connection.window_size, coalesce(floor.seq, 0) as floor
  from handing
  join broker_connection connection on connection.broker_id = handing.broker_id
  left join lateral (
    select * from broker_dispatch_floor floor where floor.broker_id = handing.broker_id offset 0
  ) floor on true
  where handing.has_turn and case
    when handing.epoch is not null then connection.replica_id = $17 and connection.epoch = handing.epoch
    else connection.replica_id <> $17 and floor.ready_epoch = connection.epoch
  end
  order by connection.broker_id
  for share of connection skip locked
),
counted as materialized (
  select asked.broker_id, live.depth
  from (select unnest($23::uuid[]) as broker_id) asked
  left join lateral (
    select seq from broker_dispatch_floor floor where floor.broker_id = asked.broker_id offset 0
  ) floor on true
  cross join lateral (
    select count(*) as depth from (
      select from broker_dispatch dispatch
      where dispatch.broker_id = asked.broker_id and dispatch.seq >= coalesce(floor.seq, 0)
      limit $24
    ) live
  ) live
),
about as materialized (
  select asked.broker_id, broker.id, broker.name, broker.capabilities, broker.software, broker.version_major,
         broker.version_minor, connection.replica_id as owner, connection.epoch as link, counted.depth,
         owned.replica_id as claimant, owned.epoch as claim_epoch, owned.journal_id as claim_journal, owned.window_size,
         owned.floor
  from (select unnest($18::uuid[]) as broker_id) asked
  left join lateral (
    select * from broker where broker.id = asked.broker_id and broker.revoked_at is null offset 0
  ) broker on true
  left join lateral (
    select * from broker_connection connection where connection.broker_id = asked.broker_id offset 0
  ) connection on true
  left join counted on counted.broker_id = asked.broker_id
  left join owned on owned.broker_id = asked.broker_id
),
input as materialized (
  select input.*, broker.name as broker_name, broker.owner, broker.link, broker.depth,
         case
           when broker.id is null then 'broker_unknown'
           when input.capability is not null and not broker.capabilities ? input.capability then 'incapable'
           when input.contract = 'now_or_fail' and broker.owner is null then 'offline'
           when broker.depth + row_number() over (partition by input.broker_id order by input.place) > $24
             then 'full'
         end as refusal,
         broker.claimant, broker.claim_epoch, broker.claim_journal, broker.window_size,
         input.is_offered and broker.claimant is not null and (
           input.ordering_key is null or not exists (
             select from broker_dispatch other
             where other.ordering_key is not null
      and (other.ordering_key, other.broker_id, other.seq) between (input.ordering_key, input.broker_id, broker.floor) and (input.ordering_key, input.broker_id, 9223372036854775807)
           )
         ) as is_handed
  from (select unnest($1::uuid[]) as id, unnest($2::uuid[]) as broker_id, unnest($3::uuid[]) as agent_id, unnest($4::text[]) as op, unnest($5::text[]) as args, unnest($6::text[]) as capability, unnest($7::text[]) as lane, unnest($8::text[]) as ordering_key, unnest($9::double precision[]) as deadline_s, unnest($10::text[]) as contract, unnest($11::timestamptz[]) as not_before, unnest($12::uuid[]) as redrive_of, unnest($13::text[]) as initiator, unnest($14::text[]) as scope, unnest($15::text[]) as key, unnest($16::text[]) as request_hash, unnest($22::boolean[]) as is_offered, generate_subscripts($1::uuid[], 1) as place) input
  join about broker on broker.broker_id = input.broker_id
),
kept as (
  insert into idempotency_key (scope, key, request_hash, subject_id)
  select scope, key, request_hash, id
  from input
  where key is not null and refusal is null
  order by scope, key
  on conflict do nothing
  returning subject_id
),
inserted as (
  insert into broker_dispatch
    (id, broker_id, agent_id, op, args, lane, ordering_key, state, contract, link_epoch, not_before, deadline_at,
     origin_replica, redrive_of, initiator, trail, attempt, claimed_by, claim_epoch, claim_journal, claimed_at)
  select id, broker_id, agent_id, op, args::jsonb, lane, ordering_key, case when is_handed then 'claimed' else 'pending' end, contract,
         case when contract = any ($19::text[]) and owner is not null then link end, not_before,
         now() + make_interval(secs => deadline_s), $17::uuid, redrive_of, initiator::jsonb,
         array['{"state":"' || 'pending' || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || $17::uuid || '"}'] || case when is_handed then array[
           '{"state":"' || 'claimed' || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || claimant || '","epoch":' || claim_epoch || ',"attempt":' || 1 || '}'
         ] else '{}' end, case when is_handed then 1 else 0 end, case when is_handed then claimant end,
         case when is_handed then claim_epoch end, case when is_handed then claim_journal end,
         case when is_handed then now() end
  from input
  where refusal is null and (key is null or exists (select from kept where kept.subject_id = input.id))
  order by place
  returning id, seq
)
select input.id, inserted.seq, input.refusal, input.owner, input.depth, input.broker_name as "brokerName",
       case when input.place = 1 then now() end as "createdAt", inserted.seq is not null and input.is_handed as "isHanded", input.claim_epoch as "claimEpoch",
       input.window_size as "window"
from input
left join inserted on inserted.id = input.id
order by input.place;

-- insert_dispatches_handing_off_lean
with handing as materialized (
  select asked.broker_id, asked.epoch,
         pg_try_advisory_xact_lock_shared(hashtextextended(asked.broker_id::text, 1)) as has_turn
  from (
    select * from (select unnest($20::uuid[]) as broker_id, unnest($21::bigint[]) as epoch) asked order by broker_id
  ) asked
),
owned as materialized (
  select connection.broker_id, connection.replica_id, connection.epoch, connection.journal_id,
         connection.window_size, coalesce(floor.seq, 0) as floor
  from handing
  join broker_connection connection on connection.broker_id = handing.broker_id
  left join lateral (
    select * from broker_dispatch_floor floor where floor.broker_id = handing.broker_id offset 0
  ) floor on true
  where handing.has_turn and case
    when handing.epoch is not null then connection.replica_id = $17 and connection.epoch = handing.epoch
    else connection.replica_id <> $17 and floor.ready_epoch = connection.epoch
  end
  order by connection.broker_id
  for share of connection skip locked
),
about as materialized (
  select asked.broker_id, broker.id, broker.name, broker.capabilities, broker.software, broker.version_major,
         broker.version_minor, connection.replica_id as owner, connection.epoch as link, null::bigint as depth,
         owned.replica_id as claimant, owned.epoch as claim_epoch, owned.journal_id as claim_journal, owned.window_size,
         owned.floor
  from (select unnest($18::uuid[]) as broker_id) asked
  left join lateral (
    select * from broker where broker.id = asked.broker_id and broker.revoked_at is null offset 0
  ) broker on true
  left join lateral (
    select * from broker_connection connection where connection.broker_id = asked.broker_id offset 0
  ) connection on true
  left join owned on owned.broker_id = asked.broker_id
),
input as materialized (
  select input.*, broker.name as broker_name, broker.owner, broker.link, broker.depth,
         case
           when broker.id is null then 'broker_unknown'
           when input.capability is not null and not broker.capabilities ? input.capability then 'incapable'
           when input.contract = 'now_or_fail' and broker.owner is null then 'offline'
         end as refusal,
         broker.claimant, broker.claim_epoch, broker.claim_journal, broker.window_size,
         input.is_offered and broker.claimant is not null and (
           input.ordering_key is null or not exists (
             select from broker_dispatch other
             where other.ordering_key is not null
      and (other.ordering_key, other.broker_id, other.seq) between (input.ordering_key, input.broker_id, broker.floor) and (input.ordering_key, input.broker_id, 9223372036854775807)
           )
         ) as is_handed
  from (select unnest($1::uuid[]) as id, unnest($2::uuid[]) as broker_id, unnest($3::uuid[]) as agent_id, unnest($4::text[]) as op, unnest($5::text[]) as args, unnest($6::text[]) as capability, unnest($7::text[]) as lane, unnest($8::text[]) as ordering_key, unnest($9::double precision[]) as deadline_s, unnest($10::text[]) as contract, unnest($11::timestamptz[]) as not_before, unnest($12::uuid[]) as redrive_of, unnest($13::text[]) as initiator, unnest($14::text[]) as scope, unnest($15::text[]) as key, unnest($16::text[]) as request_hash, unnest($22::boolean[]) as is_offered, generate_subscripts($1::uuid[], 1) as place) input
  join about broker on broker.broker_id = input.broker_id
),
inserted as (
  insert into broker_dispatch
    (id, broker_id, agent_id, op, args, lane, ordering_key, state, contract, link_epoch, not_before, deadline_at,
     origin_replica, redrive_of, initiator, trail, attempt, claimed_by, claim_epoch, claim_journal, claimed_at)
  select id, broker_id, agent_id, op, args::jsonb, lane, ordering_key, case when is_handed then 'claimed' else 'pending' end, contract,
         case when contract = any ($19::text[]) and owner is not null then link end, not_before,
         now() + make_interval(secs => deadline_s), $17::uuid, redrive_of, initiator::jsonb,
         array['{"state":"' || 'pending' || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || $17::uuid || '"}'] || case when is_handed then array[
           '{"state":"' || 'claimed' || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || claimant || '","epoch":' || claim_epoch || ',"attempt":' || 1 || '}'
         ] else '{}' end, case when is_handed then 1 else 0 end, case when is_handed then claimant end,
         case when is_handed then claim_epoch end, case when is_handed then claim_journal end,
         case when is_handed then now() end
  from input
  where refusal is null
  order by place
  returning id, seq
)
select input.id, inserted.seq, input.refusal, input.owner, input.depth, input.broker_name as "brokerName",
       case when input.place = 1 then now() end as "createdAt", inserted.seq is not null and input.is_handed as "isHanded", input.claim_epoch as "claimEpoch",
       input.window_size as "window"
from input
left join inserted on inserted.id = input.id
order by input.place;

-- insert_dispatches_handing_off_lean_of_one
with handing as materialized (
  select asked.broker_id, asked.epoch,
         pg_try_advisory_xact_lock_shared(hashtextextended(asked.broker_id::text, 1)) as has_turn
  from (
    select * from (select $20::uuid as broker_id, $21::bigint as epoch) asked
  ) asked
),
owned as materialized (
  select connection.broker_id, connection.replica_id, connection.epoch, connection.journal_id,
         connection.window_size, coalesce(floor.seq, 0) as floor
  from handing
  join broker_connection connection on connection.broker_id = handing.broker_id
  left join lateral (
    select * from broker_dispatch_floor floor where floor.broker_id = handing.broker_id offset 0
  ) floor on true
  where handing.has_turn and case
    when handing.epoch is not null then connection.replica_id = $17 and connection.epoch = handing.epoch
    else connection.replica_id <> $17 and floor.ready_epoch = connection.epoch
  end
  for share of connection skip locked
),
about as materialized (
  select asked.broker_id, broker.id, broker.name, broker.capabilities, broker.software, broker.version_major,
         broker.version_minor, connection.replica_id as owner, connection.epoch as link, null::bigint as depth,
         owned.replica_id as claimant, owned.epoch as claim_epoch, owned.journal_id as claim_journal, owned.window_size,
         owned.floor
  from (select $18::uuid as broker_id) asked
  left join lateral (
    select * from broker where broker.id = asked.broker_id and broker.revoked_at is null offset 0
  ) broker on true
  left join lateral (
    select * from broker_connection connection where connection.broker_id = asked.broker_id offset 0
  ) connection on true
  left join owned on true
),
input as materialized (
  select input.*, broker.name as broker_name, broker.owner, broker.link, broker.depth,
         case
           when broker.id is null then 'broker_unknown'
           when input.capability is not null and not broker.capabilities ? input.capability then 'incapable'
           when input.contract = 'now_or_fail' and broker.owner is null then 'offline'
         end as refusal,
         broker.claimant, broker.claim_epoch, broker.claim_journal, broker.window_size,
         input.is_offered and broker.claimant is not null and (
           input.ordering_key is null or not exists (
             select from broker_dispatch other
             where other.ordering_key is not null
      and (other.ordering_key, other.broker_id, other.seq) between (input.ordering_key, input.broker_id, broker.floor) and (input.ordering_key, input.broker_id, 9223372036854775807)
           )
         ) as is_handed
  from (select $1::uuid as id, $2::uuid as broker_id, $3::uuid as agent_id, $4::text as op, $5::text as args, $6::text as capability, $7::text as lane, $8::text as ordering_key, $9::double precision as deadline_s, $10::text as contract, $11::timestamptz as not_before, $12::uuid as redrive_of, $13::text as initiator, $14::text as scope, $15::text as key, $16::text as request_hash, $22::boolean as is_offered, 1 as place) input
  join about broker on true
),
inserted as (
  insert into broker_dispatch
    (id, broker_id, agent_id, op, args, lane, ordering_key, state, contract, link_epoch, not_before, deadline_at,
     origin_replica, redrive_of, initiator, trail, attempt, claimed_by, claim_epoch, claim_journal, claimed_at)
  select id, broker_id, agent_id, op, args::jsonb, lane, ordering_key, case when is_handed then 'claimed' else 'pending' end, contract,
         case when contract = any ($19::text[]) and owner is not null then link end, not_before,
         now() + make_interval(secs => deadline_s), $17::uuid, redrive_of, initiator::jsonb,
         array['{"state":"' || 'pending' || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || $17::uuid || '"}'] || case when is_handed then array[
           '{"state":"' || 'claimed' || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || claimant || '","epoch":' || claim_epoch || ',"attempt":' || 1 || '}'
         ] else '{}' end, case when is_handed then 1 else 0 end, case when is_handed then claimant end,
         case when is_handed then claim_epoch end, case when is_handed then claim_journal end,
         case when is_handed then now() end
  from input
  where refusal is null
  returning id, seq
)
select input.id, inserted.seq, input.refusal, input.owner, input.depth, input.broker_name as "brokerName",
       case when input.place = 1 then now() end as "createdAt", inserted.seq is not null and input.is_handed as "isHanded", input.claim_epoch as "claimEpoch",
       input.window_size as "window"
from input
left join inserted on true;

-- insert_dispatches_in_projects
with held_project as materialized (
  select project.id, project.max_pending, project.min_broker_major, project.min_broker_minor, project.archived_at,
         asked.known, asked.counted_from
  from (select unnest($21::uuid[]) as id, unnest($22::integer[]) as known, unnest($25::bigint[]) as counted_from) asked
  join project on project.id = asked.id
  order by project.id
  for share of project
),
held_attachment as materialized (
  select attachment.project_id, attachment.broker_id, attachment.state, attachment.detached_at
  from held_project
  join broker_attachment attachment on attachment.project_id = held_project.id
  where attachment.broker_id = any ($2::uuid[])
  order by attachment.project_id, attachment.broker_id
  for share of attachment
),
queued as materialized (
  select held_project.id, live.depth, least(live.lowest, $26::bigint) as live_from
  from held_project
  cross join lateral (
    select count(*) as depth, min(live.seq) as lowest from (
      select dispatch.seq from broker_dispatch dispatch
      where dispatch.project_id = held_project.id and dispatch.seq >= held_project.counted_from
      order by dispatch.seq
      limit held_project.max_pending
    ) live
  ) live
  where held_project.known is null
     or held_project.max_pending <= 1000
     or held_project.known >= 0.8 * held_project.max_pending
),
counted as materialized (
  select asked.broker_id, live.depth
  from (select unnest($27::uuid[]) as broker_id) asked
  left join lateral (
    select seq from broker_dispatch_floor floor where floor.broker_id = asked.broker_id offset 0
  ) floor on true
  cross join lateral (
    select count(*) as depth from (
      select from broker_dispatch dispatch
      where dispatch.broker_id = asked.broker_id and dispatch.seq >= coalesce(floor.seq, 0)
      limit $28
    ) live
  ) live
),
about as materialized (
  select asked.broker_id, broker.id, broker.name, broker.capabilities, broker.software, broker.version_major,
         broker.version_minor, connection.replica_id as owner, connection.epoch as link, counted.depth
  from (select unnest($18::uuid[]) as broker_id) asked
  left join lateral (
    select * from broker where broker.id = asked.broker_id and broker.revoked_at is null offset 0
  ) broker on true
  left join lateral (
    select * from broker_connection connection where connection.broker_id = asked.broker_id offset 0
  ) connection on true
  left join counted on counted.broker_id = asked.broker_id
),
input as materialized (
  select input.*, broker.name as broker_name, broker.owner, broker.link, broker.depth,
         case
           when broker.id is null then 'broker_unknown'
           when input.project_id is not null and project.id is null then 'project_unknown'
           when not input.ends_run and project.archived_at is not null then 'project_archived'
           when not input.ends_run and attachment.state = 'revoked' then 'attachment_revoked'
           when not input.ends_run and input.project_id is not null
             and (attachment.project_id is null or attachment.detached_at is not null) then 'unattached'
           when input.op <> all ($23::text[]) and (
    project.min_broker_major is not null
    and ((broker.version_major, broker.version_minor)
         >= (project.min_broker_major, project.min_broker_minor)) is not true
  ) then 'below_floor'
           when input.capability is not null and not broker.capabilities ? input.capability then 'incapable'
           when input.contract = 'now_or_fail' and broker.owner is null then 'offline'
           when broker.depth + row_number() over (partition by input.broker_id order by input.place) > $28
             then 'full'
           when queued.depth + row_number() over (partition by input.project_id order by input.place)
             > project.max_pending then 'over_quota'
         end as refusal,
         queued.depth as queued, queued.live_from, project.max_pending as quota, broker.software,
         case when project.min_broker_major is not null
           then json_build_object('major', project.min_broker_major, 'minor', project.min_broker_minor) end as floor
  from (select unnest($1::uuid[]) as id, unnest($2::uuid[]) as broker_id, unnest($3::uuid[]) as agent_id, unnest($4::text[]) as op, unnest($5::text[]) as args, unnest($6::text[]) as capability, unnest($7::text[]) as lane, unnest($8::text[]) as ordering_key, unnest($9::double precision[]) as deadline_s, unnest($10::text[]) as contract, unnest($11::timestamptz[]) as not_before, unnest($12::uuid[]) as redrive_of, unnest($13::text[]) as initiator, unnest($14::text[]) as scope, unnest($15::text[]) as key, unnest($16::text[]) as request_hash, unnest($20::uuid[]) as project_id, unnest($24::boolean[]) as ends_run, generate_subscripts($1::uuid[], 1) as place) input
  join about broker on broker.broker_id = input.broker_id
  left join held_project project on project.id = input.project_id
  left join held_attachment attachment
    on attachment.project_id = input.project_id and attachment.broker_id = input.broker_id
  left join queued on queued.id = input.project_id
),
kept as (
  insert into idempotency_key (scope, key, request_hash, subject_id)
  select scope, key, request_hash, id
  from input
  where key is not null and refusal is null
  order by scope, key
  on conflict do nothing
  returning subject_id
),
inserted as (
  insert into broker_dispatch
    (id, broker_id, agent_id, op, args, lane, ordering_key, state, contract, link_epoch, not_before, deadline_at,
     origin_replica, redrive_of, initiator, trail, project_id)
  select id, broker_id, agent_id, op, args::jsonb, lane, ordering_key, 'pending', contract,
         case when contract = any ($19::text[]) and owner is not null then link end, not_before,
         now() + make_interval(secs => deadline_s), $17::uuid, redrive_of, initiator::jsonb,
         array['{"state":"' || 'pending' || '","at":' || to_json(clock_timestamp()) || ',"replica":"' || $17::uuid || '"}'], project_id
  from input
  where refusal is null and (key is null or exists (select from kept where kept.subject_id = input.id))
  order by place
  returning id, seq
)
select input.id, inserted.seq, input.refusal, input.owner, input.depth, input.broker_name as "brokerName",
       case when input.place = 1 then now() end as "createdAt", input.queued, input.live_from as "queuedFrom", input.quota, input.floor, input.software,
       case when input.place = 1 then (select last_value from broker_dispatch_seq_seq) end as "lastSeq"
from input
left join inserted on inserted.id = input.id
order by input.place;

-- find_stored_dispatches
select stored.id, stored.seq, null as refusal, connection.replica_id as owner, null as depth
from (
  select id, seq, broker_id from broker_dispatch where id = any ($1::uuid[])
  union all
  select id, seq, broker_id from broker_dispatch_history where id = any ($1::uuid[]) and id between $2 and $3
) stored
left join broker_connection connection on connection.broker_id = stored.broker_id;

-- find_live_commands_below
select asked.project_id as "projectId", live.seq
from (select unnest($1::uuid[]) as project_id, unnest($2::bigint[]) as counted_from) asked
cross join lateral (
  select dispatch.seq from broker_dispatch dispatch
  where dispatch.project_id = asked.project_id and dispatch.seq < asked.counted_from
  order by dispatch.seq
  limit 1
) live;

-- sweep_idempotency_keys
with due as materialized (select now() - interval '24 hours' as until),
old as materialized (
  select scope, key, created_at from idempotency_key
  where created_at >= coalesce($2::timestamptz, (select until - interval '10 minutes' from due))
    and created_at < (select until from due)
  order by created_at
  limit $1
  for update skip locked
),
removed as (
  delete from idempotency_key using old
  where idempotency_key.scope = old.scope and idempotency_key.key = old.key
)
select count(*) as count,
       case when count(*) < $1 then (select until from due) else max(created_at) end as "from"
from old;
