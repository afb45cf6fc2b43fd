-- src/hub/cluster/notifier.ts

-- notify_replicas
select pg_notify(hint.channel, hint.payload)
from (select unnest($1::text[]) as channel, unnest($2::text[]) as payload) hint;
