-- src/hub/auth/request-key.repository.ts

-- find_idempotency_keys
select kept.scope, kept.key, kept.request_hash as "requestHash", kept.subject_id as "subjectId",
       kept.answer
from (select unnest($1::text[]) as scope, unnest($2::text[]) as key) asked
join idempotency_key kept on kept.scope = asked.scope and kept.key = asked.key;

-- keep_idempotency_key
insert into idempotency_key (scope, key, request_hash, subject_id)
values ($1, $2, $3, $4)
on conflict do nothing
returning subject_id;

-- keep_answer_of_key
update idempotency_key set answer = $3::jsonb where scope = $1 and key = $2;
