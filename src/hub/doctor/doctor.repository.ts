import { Catalogue } from '../database/catalogue.js';
import type { Run } from '../database/database.js';
import { statement } from '../database/statement.js';

const SERVER = statement(
  'see_database_server',
  `
  select current_setting('server_version_num')::integer as "version",
         current_setting('server_encoding') as "encoding",
         current_setting('fsync') as "fsync",
         current_setting('full_page_writes') as "fullPageWrites",
         current_setting('synchronous_commit') as "synchronousCommit",
         current_setting('log_timezone') as "logTimezone",
         pg_is_in_recovery() or current_setting('default_transaction_read_only') = 'on' as "isReadOnly",
         current_setting('max_connections')::integer
           - current_setting('superuser_reserved_connections')::integer
           - coalesce(current_setting('reserved_connections', true), '0')::integer as "connections",
         (select rolconnlimit from pg_roles where rolname = current_user) as "roleLimit",
         (select datconnlimit from pg_database where datname = current_database()) as "databaseLimit",
         coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as "isEncrypted",
         has_schema_privilege(current_schema(), 'create') as "mayCreate",
         current_setting('lock_timeout') as "lockTimeout",
         clock_timestamp() as "now"
  `,
);

const TELL = statement('tell_doctor', `select pg_notify($1, $2)`);

const OLDEST_TRANSACTION = statement(
  'see_oldest_transaction',
  `
  select coalesce(max(extract(epoch from clock_timestamp() - xact_start)), 0)::float8 as "seconds"
  from pg_stat_activity
  where backend_xmin is not null and backend_type = 'client backend' and pid <> pg_backend_pid()
  `,
);

const LIVE = statement(
  'see_replicas_that_are_not_gone',
  `
  select name, software, internal_url as "internalUrl",
         extract(epoch from clock_timestamp() - last_seen_at)::float8 as "silentS"
  from hub_replica
  where state <> 'gone'
  order by started_at, id
  limit 200
  `,
);

// The head of what was sealed: a version, and which key it was. In a row of JSON it stands as text, beside what callers
// may have called alike; of many commands a part is enough to miss a key by.
const SEALED = statement(
  'count_sealed_by_key',
  `
  with sealed (place, head) as (
    select 'signing_key', substring(sealed_private for 5)
    from signing_key
    where retired_at is null or retired_at > now() - interval '1 hour'
    union all
    select 'agent', substring(decode(spec #>> '{environment,$sealed}', 'base64') for 5)
    from agent
    where spec #>> '{environment,$sealed}' is not null
    union all
    select 'broker_dispatch', case
             when found.value #>> '{}' ~ '^([A-Za-z0-9+/]{4}){11,}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$'
               then substring(decode(found.value #>> '{}', 'base64') for 5)
           end
    from (select args from broker_dispatch limit 100000) as live
    cross join lateral jsonb_path_query(live.args, '$.**."$sealed"') as found (value)
  )
  select place, head, count(*) as count
  from sealed
  where head is not null
  group by place, head
  order by place, head
  `,
);

export type SeenServer = {
  version: number;
  encoding: string;
  fsync: string;
  fullPageWrites: string;
  synchronousCommit: string;
  logTimezone: string;
  isReadOnly: boolean;
  connections: number;
  roleLimit: number;
  databaseLimit: number;
  isEncrypted: boolean;
  mayCreate: boolean;
  /** One of the settings that a session of the hub begins with. */
  lockTimeout: string;
  now: Date;
};

export type SeenReplica = { name: string; software: string; internalUrl: string | null; silentS: number };
export type SealedRows = { place: string; head: Buffer; count: number };

/** SQL of the doctor: all of it reads. */
export class DoctorRepository {
  readonly catalogue: Catalogue;

  constructor(private readonly run: Run) {
    this.catalogue = new Catalogue(run);
  }

  async server(): Promise<SeenServer> {
    const [seen] = await this.run<SeenServer>(SERVER);
    if (seen === undefined) throw new Error('the server told nothing of itself');
    return seen;
  }

  /** NOTIFY, to whoever listens on the channel. */
  async tell(channel: string, word: string): Promise<void> {
    await this.run(TELL, [channel, word]);
  }

  /** Seconds for which a transaction has held back the vacuum. */
  async oldestTransaction(): Promise<number> {
    return (await this.run<{ seconds: number }>(OLDEST_TRANSACTION))[0]?.seconds ?? 0;
  }

  async replicas(): Promise<SeenReplica[]> {
    return this.run(LIVE);
  }

  async sealed(): Promise<SealedRows[]> {
    return this.run(SEALED);
  }
}
