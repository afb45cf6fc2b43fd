-- src/hub/cluster/notifier.ts

-- notify_replicas
select pg_notify(hint.channel, hint.payload)
from unnest($1::text[], $2::text[]) as hint (channel, payload);
