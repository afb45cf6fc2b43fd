/** The queue that one writes in an afternoon: a table, SKIP LOCKED, and a NOTIFY in every transaction. */
export const SCHEMA = `
  create table command (
    id uuid primary key,
    seq bigint generated always as identity,
    args jsonb not null,
    state text not null default 'pending',
    result jsonb,
    created_at timestamptz not null default now(),
    ended_at timestamptz
  );
  create index command_pending on command (seq) where state = 'pending'`;

export const INSERT = {
  name: 'insert',
  text: `
    with inserted as (insert into command (id, args) values ($1, $2) returning id)
    select pg_notify('commands', id::text) from inserted`,
};

export const CLAIM = {
  name: 'claim',
  text: `
    update command set state = 'running'
    where id = (select id from command where state = 'pending' order by seq limit 1 for update skip locked)
    returning id, args`,
};

export const SETTLE = {
  name: 'settle',
  text: `
    with settled as (
      update command set state = 'succeeded', result = $2, ended_at = now() where id = $1 returning id
    )
    select pg_notify('results', id::text) from settled`,
};
