/** `error`: the hub does not work, or not as promised; `warning`: it will not for long, or not under load; `note`: to know. */
export const SEVERITIES = ['error', 'warning', 'note'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What may be found, how bad it is, and what to do. Codes are stable: programs decide by them. */
export const FINDINGS = {
  config_broken: ['error', 'Mend the variable that is named; `fairlead hub start` refuses it too.'],
  secret_missing: ['error', 'Make one with `openssl rand -hex 32`, and give the same to every replica.'],
  secret_malformed: [
    'error',
    'Make one with `openssl rand -hex 32`: 32 bytes in hex, for a ring with commas between.',
  ],
  secret_weak: ['error', 'Make one of your own with `openssl rand -hex 32`: this one is known to the world.'],
  secret_guessable: ['warning', 'Make one with `openssl rand -hex 32`: few of the bytes of this one differ.'],
  client_secret_guessable: [
    'warning',
    'Let the provider make another: whoever guesses it can ask the provider in the name of the hub.',
  ],
  secret_reused: [
    'warning',
    'Give each purpose a secret of its own: whoever learns one should not learn the other.',
  ],
  secret_open: ['warning', 'Close the file to all but its owner: chmod 600.'],
  certificate_ending: [
    'warning',
    'Renew it: once it has ended no replica starts, and none is reached by the others.',
  ],

  database_unreachable: [
    'error',
    'See that the server runs, that DATABASE_URL names it, and that no firewall is between.',
  ],
  database_untrusted: [
    'error',
    'Give FAIRLEAD_DATABASE_ROOT_CERT the file of the authority that signed its certificate, DATABASE_URL a host that this is for, and the server `ssl = on`.',
  ],
  database_refuses: ['error', 'See user and password in DATABASE_URL, and pg_hba.conf of the server.'],
  database_missing: ['error', 'Create the database that DATABASE_URL names: createdb.'],
  database_full: ['error', 'Raise max_connections of the server, or end what holds its connections.'],
  database_absent: ['note', 'Start a hub, which makes it: `fairlead hub start`.'],
  embedded_failed: ['error', 'Do what is said; the log of the server is server.log in its folder.'],
  database_failed: ['error', 'See the log of the database server for what it said at this time.'],
  database_too_old: ['error', 'Move to PostgreSQL 15 to 18.'],
  database_untried: [
    'warning',
    'Use PostgreSQL 15 to 18: this one is newer than what the hub was tried with.',
  ],
  database_encoding: ['error', 'Create the database anew with the encoding UTF8, and move what is in it.'],
  database_read_only: [
    'error',
    'Let DATABASE_URL lead to the primary, for instance with target_session_attrs=read-write.',
  ],
  database_not_durable: [
    'error',
    'Turn it on: what was accepted is lost in a crash of the server otherwise.',
  ],
  database_unencrypted: [
    'warning',
    'Set FAIRLEAD_DATABASE_ROOT_CERT, or add sslmode=verify-full to DATABASE_URL: the way to the database is open to others.',
  ],
  database_elsewhere: [
    'error',
    'Let DATABASE_URL and DATABASE_DIRECT_URL lead to one database of one server.',
  ],
  database_rights: ['error', 'Grant it: grant create, usage on schema public to the role of the hub.'],
  connections_short: [
    'error',
    'Raise max_connections (or the limit of the role or the database), or run fewer replicas.',
  ],
  connections_tight: [
    'warning',
    'Raise max_connections: in a roll one replica starts and one leaves beside those that serve.',
  ],
  clocks_differ: [
    'warning',
    'Keep the clocks of both machines by NTP: log lines and ids tell the time of this machine.',
  ],
  timezones_differ: ['note', 'Set log_timezone to UTC, so that lines of both logs can be laid side by side.'],
  transaction_pinned: ['warning', 'End it: while it lives, nothing that ended since can be vacuumed away.'],
  standby_none: ['note', 'Set synchronous_standby_names where a failover must not lose what was accepted.'],
  standby_away: [
    'error',
    'Bring the standby back, or take it out of synchronous_standby_names: writes wait for it.',
  ],

  pooler_undeclared: ['error', 'Set DATABASE_DIRECT_URL, or FAIRLEAD_DATABASE_POOLER=transaction.'],
  pooler_direct: ['error', 'Let DATABASE_DIRECT_URL name the server itself, past every pooler.'],
  pooler_without_direct: [
    'warning',
    'Set DATABASE_DIRECT_URL: without LISTEN wakes come by polls, which cost seconds.',
  ],
  notify_lost: ['error', 'Let DATABASE_DIRECT_URL name the server itself, past every pooler and proxy.'],
  notify_slow: ['warning', 'See the load of the database: wakes take as long as this.'],

  schema_missing: ['note', 'Run `fairlead hub migrate`, or start a hub, which does it.'],
  copy_unfinished: [
    'error',
    'Run the same `fairlead migrate copy` again: it goes on where it was cut short.',
  ],
  schema_behind: ['warning', 'Run `fairlead hub migrate`, or start a hub, which does it.'],
  schema_ahead: ['error', 'Use the release that made this schema, or one after it: migrations only go up.'],
  schema_drifted: [
    'error',
    'Undo what was changed by hand; docs/sql and migrations/ say what is to be there.',
  ],

  replica_none: ['note', 'Start one: `fairlead hub start`.'],
  replica_silent: [
    'warning',
    'See the log of that replica; the others bury it within 6 s where any is alive.',
  ],
  replica_unreachable: [
    'error',
    'Open the internal port between replicas, and see FAIRLEAD_ADVERTISE_URL of that replica.',
  ],
  replica_mixed: ['note', 'Finish the roll: releases side by side are meant for as long as one takes.'],

  seal_key_missing: [
    'error',
    'Put the key that sealed them back into FAIRLEAD_SEAL_KEYS, behind the newest.',
  ],
  seal_key_idle: ['note', 'Take it out of FAIRLEAD_SEAL_KEYS once backups that need it are gone, too.'],

  data_dir_unwritable: ['error', 'Set FAIRLEAD_DATA_DIR to a folder that the user of the hub may write.'],
  disk_full: ['error', 'Make room, or move the data directory: PostgreSQL stops where it cannot write.'],
  disk_low: ['warning', 'Make room, or move the data directory, before it is full.'],
} as const satisfies Readonly<Record<string, readonly [Severity, string]>>;

export type FindingCode = keyof typeof FINDINGS;

/** One thing that was found. It never carries a secret. */
export type Finding = { code: FindingCode; severity: Severity; what: string; remedy: string };

export function found(code: FindingCode, what: string): Finding {
  const [severity, remedy] = FINDINGS[code];
  return { code, severity, what, remedy };
}

/** All that was looked at, whatever was found there. */
export const CHECKS = [
  'configuration',
  'secrets',
  'database',
  'listener',
  'schema',
  'replicas',
  'seal keys',
  'disk',
] as const;
export type Check = (typeof CHECKS)[number];

export type Diagnosis = {
  checks: { check: Check; outcome: 'done' | 'not_possible' }[];
  findings: Finding[];
};
