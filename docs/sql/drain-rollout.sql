-- src/hub/drain/rollout.repository.ts

-- write_rollout
insert into rollout (id, replica_id, replica_name, software, begun_at, steps, outcome, ended_at)
values ($1, $2, $3, $4, now() - make_interval(secs => $5), $6::jsonb, $7::text,
        case when $7::text is not null then now() end)
on conflict (id) do update
set steps = excluded.steps, outcome = excluded.outcome, ended_at = excluded.ended_at
where rollout.ended_at is null;

-- list_rollouts
select id, replica_id as "replicaId", replica_name as "replicaName", software, begun_at as "begunAt",
       ended_at as "endedAt", outcome, steps, judged_at as "judgedAt", report
from rollout
where $1::uuid is null or id < $1
order by id desc
limit $2;

-- find_rollout
select id, replica_id as "replicaId", replica_name as "replicaName", software, begun_at as "begunAt",
       ended_at as "endedAt", outcome, steps, judged_at as "judgedAt", report
from rollout
where id = $1;

-- take_rollout_to_judge
with due as materialized (
  select rollout.id, coalesce(rollout.ended_at, replica.ended_at, rollout.begun_at) as ended_at
  from rollout
  left join hub_replica replica on replica.id = rollout.replica_id
  where rollout.judged_at is null
    and (rollout.ended_at is not null or replica.id is null or replica.state = 'gone')
    and (rollout.judging_until is null or rollout.judging_until < clock_timestamp())
  order by rollout.judging_until nulls first, rollout.id
  limit 1
  for update of rollout skip locked
)
update rollout
set judging_until = clock_timestamp() + interval '30 seconds'
from due
where rollout.id = due.id
returning rollout.id, rollout.replica_id as "replicaId", rollout.begun_at as "begunAt", due.ended_at as "endedAt",
          extract(epoch from clock_timestamp() - due.ended_at)::double precision as "ageS";

-- put_judgement_of_rollout_off
update rollout set judging_until = clock_timestamp() + interval '1 second' where id = $1 and judged_at is null;

-- judge_rollout
update rollout set report = $2::jsonb, judged_at = now() where id = $1 and judged_at is null;

-- forget_old_rollouts
delete from rollout where begun_at < now() - interval '30 days';
