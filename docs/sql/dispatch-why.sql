-- src/hub/dispatch/why.repository.ts

-- read_circumstances
with found as materialized (
  select id, seq, project_id, broker_id, op, lane, ordering_key, state, attempt, failures, contract, not_before, retry_at,
         deadline_at, cancel_requested_at, claimed_by, claim_epoch, claimed_at, created_at,
         null::timestamptz as ended_at, null::jsonb as error, case when pg_column_compression(broker_dispatch.args) is null then pg_column_size(broker_dispatch.args) else 262144 end as args_bytes
  from broker_dispatch where id = any ($1::uuid[])
  union all
  select id, seq, project_id, broker_id, op, lane, ordering_key, state, attempt, failures, contract, not_before, retry_at,
         deadline_at, cancel_requested_at, claimed_by, claim_epoch, claimed_at, created_at, ended_at, error, 0
  from broker_dispatch_history where id = any ($1::uuid[]) and id between $4 and $5
),
asked as materialized (
  select found.*, clock_timestamp() as now, coalesce(floor.seq, 0) as floor, floor.ready_epoch,
         blocker.id as blocker_id, blocker.state as blocker_state, blocker.op as blocker_op, blocker.created_at as blocker_since
  from found
  left join broker_dispatch_floor floor on floor.broker_id between found.broker_id and found.broker_id
  left join lateral (
    select other.id, other.state, other.op, other.created_at
    from broker_dispatch other
    where other.ordering_key is not null
      and (other.ordering_key, other.broker_id, other.seq) between (found.ordering_key, found.broker_id, coalesce(floor.seq, 0)) and (found.ordering_key, found.broker_id, 9223372036854775807) and other.id <> found.id
      and case
        when other.state <> 'pending' then not (other.state = 'running' and other.op = any ($3::text[]))
        when other.seq > found.seq then false
        else other.attempt > 0 or coalesce(other.not_before <= clock_timestamp(), true)
      end
    order by other.ordering_key, other.broker_id, other.seq
    limit 1
  ) blocker on found.state = 'pending'
),
held as materialized (
  select live.broker_id, first.seqs, first.unacked + further.unacked as unacked,
         coalesce(first.unacked_bytes, 0) + coalesce(further.unacked_bytes, 0) as unacked_bytes
  from (
    select broker_id, floor, ready_epoch, bool_or(state = 'claimed') as is_any_claimed,
           bool_or(
             state = 'pending' and blocker_id is null and cancel_requested_at is null
             and coalesce(greatest(retry_at, not_before) <= now, true)
           ) as is_any_free
    from asked
    where state = any ($2::text[])
    group by broker_id, floor, ready_epoch
  ) live
  left join broker_connection connection on connection.broker_id between live.broker_id and live.broker_id
  cross join lateral (
    select array_agg(other.seq order by other.seq) as seqs, count(*) filter (where other.state = 'claimed') as unacked,
           sum(other.args_bytes) filter (where other.state = 'claimed') as unacked_bytes,
           max(other.seq) as last
    from (
      select other.seq, other.state, case when pg_column_compression(other.args) is null then pg_column_size(other.args) else 262144 end as args_bytes from broker_dispatch other
      where (other.broker_id, other.seq) between (live.broker_id, live.floor) and (live.broker_id, 9223372036854775807)
      order by other.broker_id, other.seq
      limit greatest(100, connection.window_size + 1)
    ) other
  ) first
  cross join lateral (
    select count(*) filter (where other.state = 'claimed') as unacked,
           sum(other.args_bytes) filter (where other.state = 'claimed') as unacked_bytes
    from (
      select other.state, case when pg_column_compression(other.args) is null then pg_column_size(other.args) else 262144 end as args_bytes from broker_dispatch other
      where connection.replica_id is not null
        and (
          (live.is_any_claimed and first.unacked <= connection.window_size)
          or (live.is_any_free and live.ready_epoch = connection.epoch and first.unacked < connection.window_size)
        )
        and (other.broker_id, other.seq) between (live.broker_id, first.last + 1) and (live.broker_id, 9223372036854775807)
      order by other.broker_id, other.seq
      limit 1000
    ) other
  ) further
)
select asked.id, asked.state, asked.op, asked.attempt, asked.failures, asked.contract,
       asked.ordering_key as "orderingKey", asked.not_before as "notBefore", asked.retry_at as "retryAt",
       asked.deadline_at as "deadlineAt", asked.cancel_requested_at as "cancelRequestedAt",
       asked.claimed_at as "claimedAt", asked.created_at as "createdAt", asked.ended_at as "endedAt",
       asked.error ->> 'code' as "errorCode", asked.now,
       broker.name as "brokerName", broker.revoked_at as "revokedAt", broker.capabilities,
       connection.replica_id as "holderId", connection.epoch, connection.since as "heldSince",
       connection.released_at as "releasedAt", connection.release_reason as "releaseReason",
       connection.window_size as "windowSize", asked.ready_epoch as "readyEpoch",
       replica.name as "holderName", replica.state as "holderState", replica.last_seen_at as "holderSeenAt",
       project.name as "projectName", attachment.state as attachment,
       attachment.changed_at as "attachmentChangedAt", project.id is not null and (
    project.min_broker_major is not null
    and ((broker.version_major, broker.version_minor)
         >= (project.min_broker_major, project.min_broker_minor)) is not true
  ) as "isReadOnly",
       presence.state as presence, presence.last_seen_at as "brokerSeenAt",
       coalesce(width_bucket(asked.seq - 1, held.seqs), 0) as position, coalesce(held.unacked, 0) as unacked,
       coalesce(held.unacked_bytes, 0)::bigint as "unackedBytes", asked.args_bytes as "argsBytes",
       asked.blocker_id as "blockerId", asked.blocker_state as "blockerState", asked.blocker_op as "blockerOp",
       asked.blocker_since as "blockerSince"
from asked
left join broker on broker.id = asked.broker_id
left join broker_connection connection on connection.broker_id = asked.broker_id
left join held on held.broker_id = asked.broker_id
left join hub_replica replica on replica.id = connection.replica_id
left join broker_presence presence on presence.broker_id = asked.broker_id
left join project on project.id = asked.project_id
left join broker_attachment attachment
  on attachment.project_id = asked.project_id and attachment.broker_id = asked.broker_id;
