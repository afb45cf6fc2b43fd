-- src/hub/auth/audit-chain.repository.ts

-- is_any_audit_unlinked
select exists (select from audit_unlinked) as "isAny";

-- try_audit_chain
select pg_try_advisory_xact_lock(hashtextextended('audit chain', 3)) as mine;

-- head_of_audit_chain
select position, hash from audit_link order by position desc limit 1;

-- find_audit_that_awaits_its_link
select id, seq, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, act, outcome, code,
       json_build_object('kind', actor_kind, 'id', actor_id, 'name', actor_name, 'credentialId', credential_id) as actor,
       json_build_object('kind', subject_kind, 'id', subject_id, 'name', subject_name) as subject,
       address, request_id as "requestId", detail
from audit_unlinked
join audit on audit.id = audit_unlinked.audit_id
order by seq
limit $1;

-- append_to_audit_chain
with linked as (
  insert into audit_link (position, audit_id, row_hash, hash)
  select position, audit_id, row_hash, hash
  from unnest($1::bigint[], $2::uuid[], $3::bytea[], $4::bytea[]) as fresh (position, audit_id, row_hash, hash)
  returning audit_id
)
delete from audit_unlinked
using linked
where audit_unlinked.audit_id = linked.audit_id;

-- export_audit_chain
select link.position, link.row_hash as "rowHash", link.hash, link.audit_id as "auditId",
       case when audit.id is not null then json_build_object(
         'id', audit.id, 'seq', audit.seq,
         'at', to_char(audit.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
         'act', audit.act, 'outcome', audit.outcome, 'code', audit.code,
         'actor', json_build_object('kind', audit.actor_kind, 'id', audit.actor_id, 'name', audit.actor_name,
                                    'credentialId', audit.credential_id),
         'subject', json_build_object('kind', audit.subject_kind, 'id', audit.subject_id, 'name', audit.subject_name),
         'address', audit.address, 'requestId', audit.request_id, 'detail', audit.detail) end as row
from audit_link link
left join audit on audit.id = link.audit_id
where link.position > $1
order by link.position
limit $2;

-- export_audit_without_link
select coalesce(audit.id, awaiting.audit_id) as "auditId", awaiting.audit_id is not null as "isAwaited",
       case when audit.id is not null then json_build_object(
         'id', audit.id, 'seq', audit.seq,
         'at', to_char(audit.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
         'act', audit.act, 'outcome', audit.outcome, 'code', audit.code,
         'actor', json_build_object('kind', audit.actor_kind, 'id', audit.actor_id, 'name', audit.actor_name,
                                    'credentialId', audit.credential_id),
         'subject', json_build_object('kind', audit.subject_kind, 'id', audit.subject_id, 'name', audit.subject_name),
         'address', audit.address, 'requestId', audit.request_id, 'detail', audit.detail) end as row
from audit
full join audit_unlinked awaiting on awaiting.audit_id = audit.id
where not exists (select from audit_link link where link.audit_id = coalesce(audit.id, awaiting.audit_id))
order by awaiting.audit_id is not null, audit.seq
limit $1;
