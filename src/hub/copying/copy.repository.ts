import { Catalogue } from '../database/catalogue.js';
import type { Run } from '../database/database.js';
import { statement } from '../database/statement.js';

const HUB = statement('see_hub_to_copy', `select id from hub_identity`);

const ALIVE = statement(
  'count_replicas_of_source',
  `
  select count(*)::integer as count
  from hub_replica
  where state <> 'gone' and last_seen_at > clock_timestamp() - interval '10 seconds'
  `,
);

const TRY_LOCK = statement('try_lock_of_migrations', `select pg_try_advisory_xact_lock($1) as mine`);

const HOLDS_LOCK = statement(
  'see_lock_of_migrations',
  `
  select exists (
           select from pg_locks
           where locktype = 'advisory' and pid = pg_backend_pid()
             and classid = 0 and objid::bigint = $1 and objsubid = 1
         ) as mine
  `,
);

const MAKE_PROGRESS = statement(
  'make_copy_progress',
  `
  create table copy_progress (
    source uuid not null,
    name text not null,
    last_row text,
    rows bigint not null default 0,
    is_whole boolean not null default false,
    constraint copy_progress_is_one_a_table primary key (source, name)
  )
  `,
);

const HIDE_MIGRATIONS = statement(
  'hide_migrations_of_copy',
  `alter table schema_migration rename to schema_migration_of_copy`,
);
const SHOW_MIGRATIONS = statement(
  'show_migrations_of_copy',
  `alter table schema_migration_of_copy rename to schema_migration`,
);
const DROP_PROGRESS = statement('drop_copy_progress', `drop table copy_progress`);
const FORGET_IDENTITY = statement('forget_identity_of_empty_hub', `delete from hub_identity`);

const ENTER = statement('enter_table_to_copy', `insert into copy_progress (source, name) values ($1, $2)`);

const PROGRESS = statement(
  'read_copy_progress',
  `
  select source, name, last_row as "lastRow", rows, is_whole as "isWhole"
  from copy_progress
  order by name
  `,
);

const ADVANCE = statement(
  'advance_copy_progress',
  `update copy_progress set last_row = $2, rows = rows + $3, is_whole = $4 where name = $1`,
);

const DAYS = statement(
  'list_days_of_history',
  `
  select to_char(to_date(right(child.relname, 8), 'YYYYMMDD'), 'YYYY-MM-DD') as day
  from pg_inherits
  join pg_class child on child.oid = pg_inherits.inhrelid
  where pg_inherits.inhparent = 'broker_dispatch_history'::regclass
    and child.relname ~ '^broker_dispatch_history_p[0-9]{8}$'
  order by child.relname
  `,
);

const MAKE_DAY = statement('make_day_of_history', `select make_history_partition($1::date)`);

const SEQUENCES = statement(
  'list_sequences_to_copy',
  `
  select sequencename as name, last_value::text as "lastValue"
  from pg_sequences
  where schemaname = current_schema() and last_value is not null
  order by sequencename
  `,
);

const SET_SEQUENCE = statement('set_copied_sequence', `select setval(quote_ident($1)::regclass, $2::bigint)`);

export type Progress = {
  source: string;
  name: string;
  lastRow: string | null;
  rows: number;
  isWhole: boolean;
};

/** SQL of what is copied beside the rows, and of how far a copy is. */
export class CopyRepository {
  readonly catalogue: Catalogue;

  constructor(readonly run: Run) {
    this.catalogue = new Catalogue(run);
  }

  /** null where it has no identity, as a copy that is not whole. */
  async hub(): Promise<string | null> {
    return (await this.run<{ id: string }>(HUB))[0]?.id ?? null;
  }

  async alive(): Promise<number> {
    return (await this.run<{ count: number }>(ALIVE))[0]?.count ?? 0;
  }

  async tryLock(lock: number): Promise<boolean> {
    return (await this.run<{ mine: boolean }>(TRY_LOCK, [lock]))[0]?.mine === true;
  }

  /** Whether this very session has the lock that `tryLock` took, and has it still. */
  async holdsLock(lock: number): Promise<boolean> {
    return (await this.run<{ mine: boolean }>(HOLDS_LOCK, [lock]))[0]?.mine === true;
  }

  /** From here on, until it is finished, no hub starts on the target. */
  async begin(source: string, tables: readonly string[]): Promise<void> {
    await this.run(MAKE_PROGRESS);
    await this.run(HIDE_MIGRATIONS);
    await this.run(FORGET_IDENTITY);
    for (const name of tables) await this.run(ENTER, [source, name]);
  }

  async finish(): Promise<void> {
    await this.run(SHOW_MIGRATIONS);
    await this.run(DROP_PROGRESS);
  }

  async progress(): Promise<Progress[]> {
    return this.run(PROGRESS);
  }

  async advance(name: string, lastRow: string | null, rows: number, isWhole: boolean): Promise<void> {
    await this.run(ADVANCE, [name, lastRow, rows, isWhole]);
  }

  async days(): Promise<string[]> {
    return (await this.run<{ day: string }>(DAYS)).map(({ day }) => day);
  }

  async makeDay(day: string): Promise<void> {
    await this.run(MAKE_DAY, [day]);
  }

  async sequences(): Promise<{ name: string; lastValue: string }[]> {
    return this.run(SEQUENCES);
  }

  async setSequence(name: string, lastValue: string): Promise<void> {
    await this.run(SET_SEQUENCE, [name, lastValue]);
  }
}
