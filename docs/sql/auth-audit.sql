-- src/hub/auth/audit.repository.ts

-- write_audit
insert into audit
  (id, act, outcome, code, actor_kind, actor_id, actor_name, credential_id, request_id, address, subject_kind, subject_id,
   subject_name, detail)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::jsonb);

-- list_audit
select id, seq, at, act, outcome, code, actor_kind as "actorKind", actor_id as "actorId", actor_name as "actorName",
       credential_id as "credentialId", request_id as "requestId", address, subject_kind as "subjectKind",
       subject_id as "subjectId", subject_name as "subjectName", detail
from audit
where ($1::uuid is null or id < $1)
  and ($2::text is null or act = $2)
  and ($3::uuid is null or actor_id = $3)
  and ($4::uuid is null or subject_id = $4)
  and ($5::text is null or outcome = $5)
order by id desc
limit $6;
