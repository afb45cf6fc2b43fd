-- src/hub/dispatch/list.repository.ts

-- list_dispatches
select page.*, broker.name as "brokerName"
from (
  select record.*, lead(record.id) over newest is not null as "isFollowed",
         sum(coalesce(case when pg_column_compression(record.args) is null then pg_column_size(record.args)
                    else octet_length(record.args::text) end, 0) + coalesce(case when pg_column_compression(record.result) is null then pg_column_size(record.result)
                    else octet_length(record.result::text) end, 0)) over (newest rows between unbounded preceding and 1 preceding) as "bytesBefore"
  from (
    with ended as materialized (
      select
  dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId",
  dispatch.project_id as "projectId", dispatch.agent_id as "agentId", dispatch.op, dispatch.lane,
  dispatch.ordering_key as "orderingKey", dispatch.state, dispatch.attempt, dispatch.failures,
  dispatch.max_failures as "maxFailures", dispatch.contract, dispatch.not_before as "notBefore",
  dispatch.retry_at as "retryAt", dispatch.cancel_requested_at as "cancelRequestedAt",
  dispatch.redrive_of as "redriveOf",
  dispatch.claimed_by as "claimedBy", dispatch.claim_epoch as "claimEpoch", dispatch.initiator,
  case when (dispatch.progress ->> 'attempt')::integer = dispatch.attempt then dispatch.progress end as progress,
  dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt", case when $8::boolean then dispatch.args else '{}'::jsonb end as args, dispatch.ended_at as "endedAt", dispatch.result, dispatch.error
      from broker_dispatch_history dispatch
      where dispatch.id < $1::uuid and ($4::text is null or $4 not in ('pending', 'claimed', 'running'))
        and ($2::uuid is null or dispatch.broker_id = $2)
        and ($3::uuid is null or dispatch.agent_id = $3)
        and ($4::text is null or dispatch.state = $4)
        and ($6::text is null or dispatch.op = $6)
        and ($7::uuid[] is null or dispatch.project_id = any ($7))
      order by dispatch.id desc
      limit $5
    ),
    edge as materialized (
      select last.id,
             case when $1::uuid < 'ffffffff-ffff-ffff-ffff-ffffffffffff' then newest.seq else given.last_value end - last.seq < 10000 as is_near
      from (select id, seq from ended order by id desc offset $5 - 1) last
      cross join (select max(seq) as seq from ended) newest
      cross join broker_dispatch_seq_seq given
    )
    (
      select
  dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId",
  dispatch.project_id as "projectId", dispatch.agent_id as "agentId", dispatch.op, dispatch.lane,
  dispatch.ordering_key as "orderingKey", dispatch.state, dispatch.attempt, dispatch.failures,
  dispatch.max_failures as "maxFailures", dispatch.contract, dispatch.not_before as "notBefore",
  dispatch.retry_at as "retryAt", dispatch.cancel_requested_at as "cancelRequestedAt",
  dispatch.redrive_of as "redriveOf",
  dispatch.claimed_by as "claimedBy", dispatch.claim_epoch as "claimEpoch", dispatch.initiator,
  case when (dispatch.progress ->> 'attempt')::integer = dispatch.attempt then dispatch.progress end as progress,
  dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt", case when $8::boolean then dispatch.args else '{}'::jsonb end as args, null::timestamptz as "endedAt", null::jsonb as result, null::jsonb as error
      from (
        select * from broker_dispatch dispatch
        where dispatch.id < $1::uuid and dispatch.id >= coalesce((select id from edge), '00000000-0000-0000-0000-000000000000'::uuid)
        order by dispatch.id desc
        offset 0
      ) dispatch
      where dispatch.id < $1::uuid and ($4::text is null or $4 in ('pending', 'claimed', 'running'))
        and ($2::uuid is null or dispatch.broker_id = $2)
        and ($3::uuid is null or dispatch.agent_id = $3)
        and ($4::text is null or dispatch.state = $4)
        and ($6::text is null or dispatch.op = $6)
        and ($7::uuid[] is null or dispatch.project_id = any ($7))
      order by dispatch.id desc
      limit $5
    )
    union all
    select * from ended
    order by id desc
    limit $5
  ) record
  window newest as (order by record.id desc)
) page
left join broker on broker.id between page."brokerId" and page."brokerId"
where coalesce(page."bytesBefore", 0) < 4194304
order by page.id desc;

-- list_dispatches_that_are_exceptions
select page.*, broker.name as "brokerName"
from (
  select record.*, lead(record.id) over newest is not null as "isFollowed",
         sum(coalesce(case when pg_column_compression(record.args) is null then pg_column_size(record.args)
                    else octet_length(record.args::text) end, 0) + coalesce(case when pg_column_compression(record.result) is null then pg_column_size(record.result)
                    else octet_length(record.result::text) end, 0)) over (newest rows between unbounded preceding and 1 preceding) as "bytesBefore"
  from (
    with ended as materialized (
      select
  dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId",
  dispatch.project_id as "projectId", dispatch.agent_id as "agentId", dispatch.op, dispatch.lane,
  dispatch.ordering_key as "orderingKey", dispatch.state, dispatch.attempt, dispatch.failures,
  dispatch.max_failures as "maxFailures", dispatch.contract, dispatch.not_before as "notBefore",
  dispatch.retry_at as "retryAt", dispatch.cancel_requested_at as "cancelRequestedAt",
  dispatch.redrive_of as "redriveOf",
  dispatch.claimed_by as "claimedBy", dispatch.claim_epoch as "claimEpoch", dispatch.initiator,
  case when (dispatch.progress ->> 'attempt')::integer = dispatch.attempt then dispatch.progress end as progress,
  dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt", case when $8::boolean then dispatch.args else '{}'::jsonb end as args, dispatch.ended_at as "endedAt", dispatch.result, dispatch.error
      from broker_dispatch_history dispatch
      where dispatch.state in ('failed', 'cancelled', 'expired', 'dead') and dispatch.id < $1::uuid
        and (dispatch.state, dispatch.id) between ($4::text, '00000000-0000-0000-0000-000000000000'::uuid) and ($4::text, $1::uuid)
        and ($2::uuid is null or dispatch.broker_id = $2)
        and ($3::uuid is null or dispatch.agent_id = $3)
        and ($6::text is null or dispatch.op = $6)
        and ($7::uuid[] is null or dispatch.project_id = any ($7))
      order by dispatch.state desc, dispatch.id desc
      limit $5
    ),
    edge as materialized (
      select last.id,
             case when $1::uuid < 'ffffffff-ffff-ffff-ffff-ffffffffffff' then newest.seq else given.last_value end - last.seq < 10000 as is_near
      from (select id, seq from ended order by id desc offset $5 - 1) last
      cross join (select max(seq) as seq from ended) newest
      cross join broker_dispatch_seq_seq given
    )
    (
      select
  dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId",
  dispatch.project_id as "projectId", dispatch.agent_id as "agentId", dispatch.op, dispatch.lane,
  dispatch.ordering_key as "orderingKey", dispatch.state, dispatch.attempt, dispatch.failures,
  dispatch.max_failures as "maxFailures", dispatch.contract, dispatch.not_before as "notBefore",
  dispatch.retry_at as "retryAt", dispatch.cancel_requested_at as "cancelRequestedAt",
  dispatch.redrive_of as "redriveOf",
  dispatch.claimed_by as "claimedBy", dispatch.claim_epoch as "claimEpoch", dispatch.initiator,
  case when (dispatch.progress ->> 'attempt')::integer = dispatch.attempt then dispatch.progress end as progress,
  dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt", case when $8::boolean then dispatch.args else '{}'::jsonb end as args, null::timestamptz as "endedAt", null::jsonb as result, null::jsonb as error
      from (
        select * from broker_dispatch dispatch
        where dispatch.id < $1::uuid and dispatch.id >= coalesce((select id from edge), '00000000-0000-0000-0000-000000000000'::uuid)
        order by dispatch.id desc
        offset 0
      ) dispatch
      where dispatch.id < $1::uuid and ($4::text is null or $4 in ('pending', 'claimed', 'running'))
        and ($2::uuid is null or dispatch.broker_id = $2)
        and ($3::uuid is null or dispatch.agent_id = $3)
        and ($4::text is null or dispatch.state = $4)
        and ($6::text is null or dispatch.op = $6)
        and ($7::uuid[] is null or dispatch.project_id = any ($7))
      order by dispatch.id desc
      limit $5
    )
    union all
    select * from ended
    order by id desc
    limit $5
  ) record
  window newest as (order by record.id desc)
) page
left join broker on broker.id between page."brokerId" and page."brokerId"
where coalesce(page."bytesBefore", 0) < 4194304
order by page.id desc;

-- list_dispatches_of_agent
select page.*, broker.name as "brokerName"
from (
  select record.*, lead(record.id) over newest is not null as "isFollowed",
         sum(coalesce(case when pg_column_compression(record.args) is null then pg_column_size(record.args)
                    else octet_length(record.args::text) end, 0) + coalesce(case when pg_column_compression(record.result) is null then pg_column_size(record.result)
                    else octet_length(record.result::text) end, 0)) over (newest rows between unbounded preceding and 1 preceding) as "bytesBefore"
  from (
    with ended as materialized (
      select
  dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId",
  dispatch.project_id as "projectId", dispatch.agent_id as "agentId", dispatch.op, dispatch.lane,
  dispatch.ordering_key as "orderingKey", dispatch.state, dispatch.attempt, dispatch.failures,
  dispatch.max_failures as "maxFailures", dispatch.contract, dispatch.not_before as "notBefore",
  dispatch.retry_at as "retryAt", dispatch.cancel_requested_at as "cancelRequestedAt",
  dispatch.redrive_of as "redriveOf",
  dispatch.claimed_by as "claimedBy", dispatch.claim_epoch as "claimEpoch", dispatch.initiator,
  case when (dispatch.progress ->> 'attempt')::integer = dispatch.attempt then dispatch.progress end as progress,
  dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt", case when $8::boolean then dispatch.args else '{}'::jsonb end as args, dispatch.ended_at as "endedAt", dispatch.result, dispatch.error
      from broker_dispatch_history dispatch
      where dispatch.agent_id is not null and dispatch.id < $1::uuid
        and (dispatch.agent_id, dispatch.id) between ($3::uuid, '00000000-0000-0000-0000-000000000000'::uuid) and ($3::uuid, $1::uuid)
        and ($4::text is null or $4 not in ('pending', 'claimed', 'running')) and ($2::uuid is null or dispatch.broker_id = $2)
        and ($4::text is null or dispatch.state = $4)
        and ($6::text is null or dispatch.op = $6)
        and ($7::uuid[] is null or dispatch.project_id = any ($7))
      order by dispatch.agent_id desc, dispatch.id desc
      limit $5
    ),
    edge as materialized (
      select last.id,
             case when $1::uuid < 'ffffffff-ffff-ffff-ffff-ffffffffffff' then newest.seq else given.last_value end - last.seq < 10000 as is_near
      from (select id, seq from ended order by id desc offset $5 - 1) last
      cross join (select max(seq) as seq from ended) newest
      cross join broker_dispatch_seq_seq given
    )
    (
      select
  dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId",
  dispatch.project_id as "projectId", dispatch.agent_id as "agentId", dispatch.op, dispatch.lane,
  dispatch.ordering_key as "orderingKey", dispatch.state, dispatch.attempt, dispatch.failures,
  dispatch.max_failures as "maxFailures", dispatch.contract, dispatch.not_before as "notBefore",
  dispatch.retry_at as "retryAt", dispatch.cancel_requested_at as "cancelRequestedAt",
  dispatch.redrive_of as "redriveOf",
  dispatch.claimed_by as "claimedBy", dispatch.claim_epoch as "claimEpoch", dispatch.initiator,
  case when (dispatch.progress ->> 'attempt')::integer = dispatch.attempt then dispatch.progress end as progress,
  dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt", case when $8::boolean then dispatch.args else '{}'::jsonb end as args, null::timestamptz as "endedAt", null::jsonb as result, null::jsonb as error
      from (
        select * from broker_dispatch dispatch
        where dispatch.id < $1::uuid and dispatch.id >= coalesce((select id from edge), '00000000-0000-0000-0000-000000000000'::uuid)
        order by dispatch.id desc
        offset 0
      ) dispatch
      where dispatch.id < $1::uuid and ($4::text is null or $4 in ('pending', 'claimed', 'running'))
        and ($2::uuid is null or dispatch.broker_id = $2)
        and ($3::uuid is null or dispatch.agent_id = $3)
        and ($4::text is null or dispatch.state = $4)
        and ($6::text is null or dispatch.op = $6)
        and ($7::uuid[] is null or dispatch.project_id = any ($7))
      order by dispatch.id desc
      limit $5
    )
    union all
    select * from ended
    order by id desc
    limit $5
  ) record
  window newest as (order by record.id desc)
) page
left join broker on broker.id between page."brokerId" and page."brokerId"
where coalesce(page."bytesBefore", 0) < 4194304
order by page.id desc;

-- list_dispatches_of_broker
select page.*, broker.name as "brokerName"
from (
  select record.*, lead(record.id) over newest is not null as "isFollowed",
         sum(coalesce(case when pg_column_compression(record.args) is null then pg_column_size(record.args)
                    else octet_length(record.args::text) end, 0) + coalesce(case when pg_column_compression(record.result) is null then pg_column_size(record.result)
                    else octet_length(record.result::text) end, 0)) over (newest rows between unbounded preceding and 1 preceding) as "bytesBefore"
  from (
    with ended as materialized (
      select
  dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId",
  dispatch.project_id as "projectId", dispatch.agent_id as "agentId", dispatch.op, dispatch.lane,
  dispatch.ordering_key as "orderingKey", dispatch.state, dispatch.attempt, dispatch.failures,
  dispatch.max_failures as "maxFailures", dispatch.contract, dispatch.not_before as "notBefore",
  dispatch.retry_at as "retryAt", dispatch.cancel_requested_at as "cancelRequestedAt",
  dispatch.redrive_of as "redriveOf",
  dispatch.claimed_by as "claimedBy", dispatch.claim_epoch as "claimEpoch", dispatch.initiator,
  case when (dispatch.progress ->> 'attempt')::integer = dispatch.attempt then dispatch.progress end as progress,
  dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt", case when $8::boolean then dispatch.args else '{}'::jsonb end as args, dispatch.ended_at as "endedAt", dispatch.result, dispatch.error
      from broker_dispatch_history dispatch
      where true and dispatch.id < $1::uuid
        and (dispatch.broker_id, dispatch.id) between ($2::uuid, '00000000-0000-0000-0000-000000000000'::uuid) and ($2::uuid, $1::uuid)
        and ($4::text is null or $4 not in ('pending', 'claimed', 'running')) and ($3::uuid is null or dispatch.agent_id = $3)
        and ($4::text is null or dispatch.state = $4)
        and ($6::text is null or dispatch.op = $6)
        and ($7::uuid[] is null or dispatch.project_id = any ($7))
      order by dispatch.broker_id desc, dispatch.id desc
      limit $5
    ),
    edge as materialized (
      select last.id,
             case when $1::uuid < 'ffffffff-ffff-ffff-ffff-ffffffffffff' then newest.seq else given.last_value end - last.seq < 10000 as is_near
      from (select id, seq from ended order by id desc offset $5 - 1) last
      cross join (select max(seq) as seq from ended) newest
      cross join broker_dispatch_seq_seq given
    )
    (
      select
  dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId",
  dispatch.project_id as "projectId", dispatch.agent_id as "agentId", dispatch.op, dispatch.lane,
  dispatch.ordering_key as "orderingKey", dispatch.state, dispatch.attempt, dispatch.failures,
  dispatch.max_failures as "maxFailures", dispatch.contract, dispatch.not_before as "notBefore",
  dispatch.retry_at as "retryAt", dispatch.cancel_requested_at as "cancelRequestedAt",
  dispatch.redrive_of as "redriveOf",
  dispatch.claimed_by as "claimedBy", dispatch.claim_epoch as "claimEpoch", dispatch.initiator,
  case when (dispatch.progress ->> 'attempt')::integer = dispatch.attempt then dispatch.progress end as progress,
  dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt", case when $8::boolean then dispatch.args else '{}'::jsonb end as args, null::timestamptz as "endedAt", null::jsonb as result, null::jsonb as error
      from (
        select * from broker_dispatch dispatch
        where coalesce((select is_near from edge), false) and dispatch.id < $1::uuid and dispatch.id >= coalesce((select id from edge), '00000000-0000-0000-0000-000000000000'::uuid)
        order by dispatch.id desc
        offset 0
      ) dispatch
      where dispatch.id < $1::uuid and ($4::text is null or $4 in ('pending', 'claimed', 'running'))
        and ($2::uuid is null or dispatch.broker_id = $2)
        and ($3::uuid is null or dispatch.agent_id = $3)
        and ($4::text is null or dispatch.state = $4)
        and ($6::text is null or dispatch.op = $6)
        and ($7::uuid[] is null or dispatch.project_id = any ($7))
      order by dispatch.id desc
      limit $5
    )
    union all
    (
      select
  dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId",
  dispatch.project_id as "projectId", dispatch.agent_id as "agentId", dispatch.op, dispatch.lane,
  dispatch.ordering_key as "orderingKey", dispatch.state, dispatch.attempt, dispatch.failures,
  dispatch.max_failures as "maxFailures", dispatch.contract, dispatch.not_before as "notBefore",
  dispatch.retry_at as "retryAt", dispatch.cancel_requested_at as "cancelRequestedAt",
  dispatch.redrive_of as "redriveOf",
  dispatch.claimed_by as "claimedBy", dispatch.claim_epoch as "claimEpoch", dispatch.initiator,
  case when (dispatch.progress ->> 'attempt')::integer = dispatch.attempt then dispatch.progress end as progress,
  dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt", case when $8::boolean then dispatch.args else '{}'::jsonb end as args, null::timestamptz as "endedAt", null::jsonb as result, null::jsonb as error
      from (
        select * from broker_dispatch dispatch
        where not coalesce((select is_near from edge), false) and dispatch.broker_id = $2::uuid
        offset 0
      ) dispatch
      where dispatch.id < $1::uuid and ($4::text is null or $4 in ('pending', 'claimed', 'running'))
        and ($2::uuid is null or dispatch.broker_id = $2)
        and ($3::uuid is null or dispatch.agent_id = $3)
        and ($4::text is null or dispatch.state = $4)
        and ($6::text is null or dispatch.op = $6)
        and ($7::uuid[] is null or dispatch.project_id = any ($7))
      order by dispatch.id desc
      limit $5
    )
    union all
    select * from ended
    order by id desc
    limit $5
  ) record
  window newest as (order by record.id desc)
) page
left join broker on broker.id between page."brokerId" and page."brokerId"
where coalesce(page."bytesBefore", 0) < 4194304
order by page.id desc;

-- list_dispatches_of_projects
select page.*, broker.name as "brokerName"
from (
  select record.*, lead(record.id) over newest is not null as "isFollowed",
         sum(coalesce(case when pg_column_compression(record.args) is null then pg_column_size(record.args)
                    else octet_length(record.args::text) end, 0) + coalesce(case when pg_column_compression(record.result) is null then pg_column_size(record.result)
                    else octet_length(record.result::text) end, 0)) over (newest rows between unbounded preceding and 1 preceding) as "bytesBefore"
  from (
    with ended as materialized (
      select latest.*
      from unnest($7::uuid[]) as seen (project_id)
      cross join lateral (
      select
  dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId",
  dispatch.project_id as "projectId", dispatch.agent_id as "agentId", dispatch.op, dispatch.lane,
  dispatch.ordering_key as "orderingKey", dispatch.state, dispatch.attempt, dispatch.failures,
  dispatch.max_failures as "maxFailures", dispatch.contract, dispatch.not_before as "notBefore",
  dispatch.retry_at as "retryAt", dispatch.cancel_requested_at as "cancelRequestedAt",
  dispatch.redrive_of as "redriveOf",
  dispatch.claimed_by as "claimedBy", dispatch.claim_epoch as "claimEpoch", dispatch.initiator,
  case when (dispatch.progress ->> 'attempt')::integer = dispatch.attempt then dispatch.progress end as progress,
  dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt", case when $8::boolean then dispatch.args else '{}'::jsonb end as args, dispatch.ended_at as "endedAt", dispatch.result, dispatch.error
      from broker_dispatch_history dispatch
      where dispatch.project_id is not null and dispatch.id < $1::uuid
        and (dispatch.project_id, dispatch.id) between (seen.project_id, '00000000-0000-0000-0000-000000000000'::uuid) and (seen.project_id, $1::uuid)
        and ($4::text is null or $4 not in ('pending', 'claimed', 'running')) and ($2::uuid is null or dispatch.broker_id = $2)
        and ($3::uuid is null or dispatch.agent_id = $3)
        and ($4::text is null or dispatch.state = $4)
        and ($6::text is null or dispatch.op = $6)
      order by dispatch.project_id desc, dispatch.id desc
      limit $5
      ) latest
      order by latest.id desc
      limit $5
    ),
    edge as materialized (
      select last.id,
             case when $1::uuid < 'ffffffff-ffff-ffff-ffff-ffffffffffff' then newest.seq else given.last_value end - last.seq < 10000 as is_near
      from (select id, seq from ended order by id desc offset $5 - 1) last
      cross join (select max(seq) as seq from ended) newest
      cross join broker_dispatch_seq_seq given
    )
    (
      select
  dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId",
  dispatch.project_id as "projectId", dispatch.agent_id as "agentId", dispatch.op, dispatch.lane,
  dispatch.ordering_key as "orderingKey", dispatch.state, dispatch.attempt, dispatch.failures,
  dispatch.max_failures as "maxFailures", dispatch.contract, dispatch.not_before as "notBefore",
  dispatch.retry_at as "retryAt", dispatch.cancel_requested_at as "cancelRequestedAt",
  dispatch.redrive_of as "redriveOf",
  dispatch.claimed_by as "claimedBy", dispatch.claim_epoch as "claimEpoch", dispatch.initiator,
  case when (dispatch.progress ->> 'attempt')::integer = dispatch.attempt then dispatch.progress end as progress,
  dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt", case when $8::boolean then dispatch.args else '{}'::jsonb end as args, null::timestamptz as "endedAt", null::jsonb as result, null::jsonb as error
      from (
        select * from broker_dispatch dispatch
        where coalesce((select is_near from edge), false) and dispatch.id < $1::uuid and dispatch.id >= coalesce((select id from edge), '00000000-0000-0000-0000-000000000000'::uuid)
        order by dispatch.id desc
        offset 0
      ) dispatch
      where dispatch.id < $1::uuid and ($4::text is null or $4 in ('pending', 'claimed', 'running'))
        and ($2::uuid is null or dispatch.broker_id = $2)
        and ($3::uuid is null or dispatch.agent_id = $3)
        and ($4::text is null or dispatch.state = $4)
        and ($6::text is null or dispatch.op = $6)
        and ($7::uuid[] is null or dispatch.project_id = any ($7))
      order by dispatch.id desc
      limit $5
    )
    union all
    (
      select
  dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId",
  dispatch.project_id as "projectId", dispatch.agent_id as "agentId", dispatch.op, dispatch.lane,
  dispatch.ordering_key as "orderingKey", dispatch.state, dispatch.attempt, dispatch.failures,
  dispatch.max_failures as "maxFailures", dispatch.contract, dispatch.not_before as "notBefore",
  dispatch.retry_at as "retryAt", dispatch.cancel_requested_at as "cancelRequestedAt",
  dispatch.redrive_of as "redriveOf",
  dispatch.claimed_by as "claimedBy", dispatch.claim_epoch as "claimEpoch", dispatch.initiator,
  case when (dispatch.progress ->> 'attempt')::integer = dispatch.attempt then dispatch.progress end as progress,
  dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt", case when $8::boolean then dispatch.args else '{}'::jsonb end as args, null::timestamptz as "endedAt", null::jsonb as result, null::jsonb as error
      from (
        select * from broker_dispatch dispatch
        where not coalesce((select is_near from edge), false) and dispatch.project_id = any ($7::uuid[])
        offset 0
      ) dispatch
      where dispatch.id < $1::uuid and ($4::text is null or $4 in ('pending', 'claimed', 'running'))
        and ($2::uuid is null or dispatch.broker_id = $2)
        and ($3::uuid is null or dispatch.agent_id = $3)
        and ($4::text is null or dispatch.state = $4)
        and ($6::text is null or dispatch.op = $6)
        and ($7::uuid[] is null or dispatch.project_id = any ($7))
      order by dispatch.id desc
      limit $5
    )
    union all
    select * from ended
    order by id desc
    limit $5
  ) record
  window newest as (order by record.id desc)
) page
left join broker on broker.id between page."brokerId" and page."brokerId"
where coalesce(page."bytesBefore", 0) < 4194304
order by page.id desc;

-- list_ended_not_redriven
select page.*, broker.name as "brokerName"
from (
  select record.*, lead(record.id) over newest is not null as "isFollowed",
         sum(coalesce(case when pg_column_compression(record.args) is null then pg_column_size(record.args)
                    else octet_length(record.args::text) end, 0)) over (newest rows between unbounded preceding and 1 preceding) as "bytesBefore"
  from (
      select
  dispatch.id, dispatch.seq, dispatch.broker_id as "brokerId",
  dispatch.project_id as "projectId", dispatch.agent_id as "agentId", dispatch.op, dispatch.lane,
  dispatch.ordering_key as "orderingKey", dispatch.state, dispatch.attempt, dispatch.failures,
  dispatch.max_failures as "maxFailures", dispatch.contract, dispatch.not_before as "notBefore",
  dispatch.retry_at as "retryAt", dispatch.cancel_requested_at as "cancelRequestedAt",
  dispatch.redrive_of as "redriveOf",
  dispatch.claimed_by as "claimedBy", dispatch.claim_epoch as "claimEpoch", dispatch.initiator,
  case when (dispatch.progress ->> 'attempt')::integer = dispatch.attempt then dispatch.progress end as progress,
  dispatch.created_at as "createdAt", dispatch.deadline_at as "deadlineAt", dispatch.args, dispatch.ended_at as "endedAt", null::jsonb as result, dispatch.error
      from broker_dispatch_history dispatch
      where dispatch.state in ('failed', 'cancelled', 'expired', 'dead') and dispatch.id < $1::uuid
        and (dispatch.state, dispatch.id) between ($3::text, '00000000-0000-0000-0000-000000000000'::uuid) and ($3::text, $1::uuid)
        and ($2::uuid is null or dispatch.broker_id = $2)
        and ($4::text is null or dispatch.op = $4)
        and ($6::uuid[] is null or dispatch.project_id = any ($6))
        and not exists (
          select from broker_dispatch again where again.redrive_of between dispatch.id and dispatch.id offset 0
        )
        and not exists (
          select from broker_dispatch_history again where again.redrive_of between dispatch.id and dispatch.id offset 0
        )
      order by dispatch.state desc, dispatch.id desc
      limit $5
  ) record
  window newest as (order by record.id desc)
) page
left join broker on broker.id between page."brokerId" and page."brokerId"
where coalesce(page."bytesBefore", 0) < 4194304
order by page.id desc;
