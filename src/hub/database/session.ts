import pg from 'pg';

/**
 * How sessions are named that a pooler lends: not after a process, since whoever declares that one dead ends the
 * sessions of its name, and these are already somebody else's.
 */
export const POOLED_NAME = 'fairlead';

/** Milliseconds within which a connection must be made and a statement answered. */
export const CONNECT_WITHIN_MS = 5_000;
export const ANSWER_WITHIN_MS = 15_000;

const INT8_OID: number = pg.types.builtins.INT8;
const TIMESTAMPTZ_OID: number = pg.types.builtins.TIMESTAMPTZ;

/**
 * bigint columns (seq, epoch) stay far below 2^53, so they are read as numbers; the driver's default is a string.
 */
export const COLUMN_TYPES = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (oid === INT8_OID) return Number;
    if (oid === TIMESTAMPTZ_OID) return timeOf;
    return (pg.types.getTypeParser as (oid: number, format?: string) => unknown)(oid, format);
  }) as typeof pg.types.getTypeParser,
};

const parseTime = pg.types.getTypeParser(TIMESTAMPTZ_OID) as (text: string) => Date;

/** Sessions are in UTC: a time of these millennia is one step from what JavaScript reads by itself. */
function timeOf(text: string): Date {
  const isPlain = text[10] === ' ' && text.endsWith('+00');
  return isPlain ? new Date(`${text.slice(0, 10)}T${text.slice(11, -3)}Z`) : parseTime(text);
}

/**
 * Settings of every session. A client that dies with a transaction open, or one that waits for a lock, must not
 * hold up the others; a server that loses its client's machine must notice, also where it has nothing to tell it: what such a
 * session has locked stays locked until then, as does the place that it takes. Nor is it to go on with what nobody waits for any
 * more: it gives a statement up a little before its client does. A role or a database may have been told not to wait for the disk; what
 * a caller is told is stored has to be.
 *
 * The last five hold plans still. A queue's table is empty in one moment and has thousands of rows in the next, so what
 * the server knows of it is always old: a statement is planned once, for any values, and goes by an index where there is
 * one. Otherwise planning alone costs more than a single command's statements, and a plan that was made while the
 * table was empty reads all of it when it is full.
 */
export const SESSION_SETTINGS = {
  idle_in_transaction_session_timeout: '5s',
  lock_timeout: '2s',
  statement_timeout: `${ANSWER_WITHIN_MS - 1_000}ms`,
  tcp_user_timeout: '10s',
  tcp_keepalives_idle: '10s',
  tcp_keepalives_interval: '5s',
  tcp_keepalives_count: '3',
  synchronous_commit: 'on',
  timezone: 'UTC',
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_mergejoin: 'off',
  jit: 'off',
} as const;

/** The settings as a session is given them when it begins. */
export const SESSION_OPTIONS = Object.entries(SESSION_SETTINGS)
  .map(([name, value]) => `-c ${name}=${value}`)
  .join(' ');
