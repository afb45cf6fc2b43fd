import { statement } from '../database/statement.js';

// Claims share this lock and a connect holds it alone: the lock's queue is fair, so that a stream of claims cannot
// keep a connect waiting, as row locks could.
export const TAKE_TURN = statement(
  'lock_broker_for_connect',
  `select pg_advisory_xact_lock(hashtextextended($1::text, 1))`,
);

// Of those of many brokers that nobody else has; it waits for none. Nor does what follows in the transaction wait for a row
// for long: whoever has one that is held would keep all others waiting.
export const TAKE_FREE_TURNS = statement(
  'lock_brokers_for_connects',
  `
  with hurried as materialized (select set_config('lock_timeout', '100ms', true))
  select asked.id as "brokerId"
  from hurried, unnest($1::uuid[]) as asked (id)
  where pg_try_advisory_xact_lock(hashtextextended(asked.id::text, 1))
  `,
);
