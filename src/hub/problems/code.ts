/**
 * Every error a client can meet, in one table: its stable code, the HTTP status it travels with, and what to do
 * about it. `docs/errors.md` is held to it by a test.
 */
export const PROBLEMS = {
  request_invalid: {
    status: 400,
    title: 'The request is malformed',
    remedy: 'Mend the fields that are named and send it again.',
  },
  authorization_pending: {
    status: 400,
    title: 'Nobody has approved the code yet',
    remedy: 'Ask again after `intervalS` seconds.',
  },
  slow_down: {
    status: 400,
    title: 'The program asks sooner than it was told to',
    remedy: 'Ask again after `intervalS` seconds, which are more than before.',
  },
  access_denied: {
    status: 400,
    title: 'The program was turned away',
    remedy: 'Begin again, `fairlead login`, and let somebody approve it who is let in.',
  },
  device_code_expired: {
    status: 400,
    title: 'The device code is unknown, expired, or used',
    remedy: 'Begin again: `fairlead login`.',
  },
  credential_missing: {
    status: 401,
    title: 'A credential is needed',
    remedy: 'Log in, `fairlead login`; programs send a personal token as `Authorization: Bearer`.',
  },
  credential_invalid: {
    status: 401,
    title: 'The credential is not valid',
    remedy: 'Log in again, `fairlead login`, or ask an administrator for a new token.',
  },
  clock_skew: {
    status: 401,
    title: 'The clocks of the caller and of the hub differ too much',
    remedy: 'Use `hubTime` of this answer as the time, or set the clock of the machine (NTP).',
  },
  join_token_invalid: {
    status: 401,
    title: 'The join token is unknown, expired, revoked or used up',
    remedy: 'Ask for a new one: `fairlead join-tokens create`.',
  },
  sign_in_refused: {
    status: 401,
    title: 'The user or the password is wrong',
    remedy: 'Try again, or ask an administrator for an invite: `fairlead users invite`.',
  },
  invite_invalid: {
    status: 401,
    title: 'The invite is unknown, expired, revoked, or used',
    remedy: 'Ask an administrator for a new one: `fairlead users invite`.',
  },
  provider_refused: {
    status: 401,
    title: 'The sign-in by the OpenID provider failed',
    remedy:
      'Begin the sign-in again in this browser, within ten minutes. Where nobody gets in, the log of the hub says what the provider said.',
  },
  forbidden: {
    status: 403,
    title: 'The credential does not allow this',
    remedy: 'See in `fairlead whoami` who asks, and ask an administrator for the role.',
  },
  email_unverified: {
    status: 403,
    title: 'The OpenID provider has not verified the e-mail address',
    remedy: 'Let the provider verify the address, and sign in again.',
  },
  not_listed: {
    status: 403,
    title: 'The e-mail address is not one that may sign in here',
    remedy: 'Ask an administrator: `fairlead users create --email`, or FAIRLEAD_OIDC_ALLOW.',
  },
  csrf_refused: {
    status: 403,
    title: 'The request does not prove that it comes from a page of this hub',
    remedy: 'Send `X-CSRF-Token` from a page at FAIRLEAD_PUBLIC_URL, or a token as `Authorization: Bearer`.',
  },
  broker_revoked: {
    status: 403,
    title: 'The broker was revoked',
    remedy: 'Join again under a new name with a new join token.',
  },
  peer_refused: {
    status: 403,
    title: 'The call is not one of this cluster',
    remedy: 'Give every replica the same FAIRLEAD_CLUSTER_SECRET; sign for this replica, and once.',
  },
  not_found: {
    status: 404,
    title: 'There is no such thing',
    remedy: 'Check the address, the id or the name.',
  },
  identity_taken: {
    status: 409,
    title: 'The user with this e-mail address is known to the OpenID provider as somebody else',
    remedy:
      'Ask an administrator whose address it is: `fairlead users update --email` gives the other another.',
  },
  agent_name_taken: {
    status: 409,
    title: 'Another agent has this name',
    remedy: 'Choose another name, or delete the other agent.',
  },
  environment_unopened: {
    status: 409,
    title: "No key of the hub opens the agent's environment",
    remedy: 'Give FAIRLEAD_SEAL_KEYS back the key that sealed it, or delete the agent and make it anew.',
  },
  broker_name_taken: {
    status: 409,
    title: 'The broker cannot have this name',
    remedy: 'Choose another name; a broker that joins is given it with `--name`.',
  },
  broker_key_used: {
    status: 409,
    title: 'The key cannot become that of the broker',
    remedy: 'It is or was the key of a broker, or was not confirmed in time: make a new one.',
  },
  broker_key_waits: {
    status: 409,
    title: 'Another new key of the broker waits for its first use',
    remedy:
      'Use that one, or try again when it has lapsed, within an hour. If nobody knows of it, revoke the broker.',
  },
  broker_cordoned: {
    status: 409,
    title: 'The broker is given no new agents',
    remedy: 'Use another broker, or put this one back into service: `fairlead brokers uncordon`.',
  },
  broker_draining: {
    status: 409,
    title: 'The broker is being drained, and starts nothing',
    remedy: 'Use another broker, or put this one back into service: `fairlead brokers uncordon`.',
  },
  invite_redeemed: {
    status: 409,
    title: 'The invite was used before it could be revoked',
    remedy:
      'If it was not its user who set a password with it, disable that user, `fairlead users disable`, and have another made for who was meant.',
  },
  last_administrator: {
    status: 409,
    title: 'It is the last active administrator of the hub',
    remedy: 'Make somebody else an administrator first: `fairlead users update --role admin`.',
  },
  user_name_taken: {
    status: 409,
    title: 'Another user has this name',
    remedy: 'Choose another name; that of a disabled user is not given again.',
  },
  email_taken: {
    status: 409,
    title: 'Another user has this e-mail address',
    remedy: 'Use another address, or the user that has it; upper and lower case make no difference.',
  },
  project_name_taken: {
    status: 409,
    title: 'Another project has this name',
    remedy: 'Choose another name; that of an archived project is not given again.',
  },
  attachment_conflict: {
    status: 409,
    title: 'The broker is attached elsewhere, and is not shared',
    remedy: 'Detach it there first, `fairlead projects detach`, or use another broker.',
  },
  attachment_revoked: {
    status: 409,
    title: "The broker's attachment to this project was revoked, for ever",
    remedy: 'Use another broker for this project.',
  },
  broker_not_attached: {
    status: 409,
    title: 'The broker is not attached to this project',
    remedy: 'Attach it: `fairlead projects attach`; or use a broker that is: `fairlead projects brokers`.',
  },
  version_floor_exceeded: {
    status: 409,
    title: "The broker is older than the project's version floor, and is read-only there",
    remedy: 'Upgrade the broker to `minBrokerVersion`, or use another; `fairlead projects why` tells more.',
  },
  project_archived: {
    status: 409,
    title: 'The project is archived',
    remedy: 'Name another project, or none: `fairlead projects list`.',
  },
  version_floor_lowered: {
    status: 409,
    title: "A project's version floor only rises",
    remedy: 'Name a version that is at least the floor, or make another project.',
  },
  start_in_progress: {
    status: 409,
    title: 'The agent is starting or running already',
    remedy: 'Wait for it, stop it (`fairlead agents stop`), or replace it (`fairlead agents restart`).',
  },
  agent_not_started: {
    status: 409,
    title: 'The agent was never started',
    remedy: 'Start it first: `fairlead agents start`.',
  },
  agent_run_over: {
    status: 409,
    title: 'The run of the agent does not go on',
    remedy: 'Ask for the run that the broker was told to start last; stop one that nobody wants.',
  },
  op_failed: {
    status: 409,
    title: 'The broker could not do it',
    remedy: 'See `brokerError` for its own words; docs/errors.md says of its code what to do.',
  },
  agent_deleted: {
    status: 409,
    title: 'The agent is being deleted',
    remedy: 'Create another: `fairlead agents create`.',
  },
  broker_offline: {
    status: 409,
    title: 'The broker is not connected',
    remedy:
      'Try again when it is (`fairlead brokers history` says why it is not), or let the command wait, without `now_or_fail`.',
  },
  not_redrivable: {
    status: 409,
    title: 'The command cannot be done again as it is',
    remedy: 'Only an ended command that did not succeed can; ask an agent again through its own verb.',
  },
  connection_lost: {
    status: 409,
    title: 'The connection that is polled for is held by no replica any more',
    remedy: 'Begin another: a poll with a hello, and without `connectionId`.',
  },
  revision_stale: {
    status: 412,
    title: 'It was changed by somebody else meanwhile',
    remedy: 'Read it again, and decide anew; `If-Match` takes the `ETag` of what was read.',
  },
  request_too_large: {
    status: 413,
    title: 'The request is too large',
    remedy: 'Send less; the caps are in docs/concepts.md.',
  },
  args_too_large: {
    status: 413,
    title: 'The arguments of the command are too large',
    remedy: 'Send less than 256 KiB.',
  },
  idempotency_key_reused: {
    status: 422,
    title: 'The Idempotency-Key was used for another request',
    remedy: 'Use a new key for a new request.',
  },
  too_many_tokens: {
    status: 422,
    title: 'The user has as many tokens as one may',
    remedy: 'Revoke those that nobody uses: `fairlead tokens list` shows when each was used last.',
  },
  too_many_projects: {
    status: 422,
    title: 'The user is a member of as many projects as one may be',
    remedy: 'Take the user out of others, or make an administrator of the hub.',
  },
  too_many_members: {
    status: 422,
    title: 'The project has as many members as one may',
    remedy: 'Take others out: `fairlead members remove`.',
  },
  op_unknown: {
    status: 422,
    title: 'There is no such op',
    remedy: 'Use one of the ops in docs/concepts.md.',
  },
  too_many_recipients: {
    status: 422,
    title: 'The project has more agents than one message may go to',
    remedy: 'Send it to groups of them: `POST /messages`.',
  },
  args_invalid: {
    status: 422,
    title: 'The arguments do not fit the op',
    remedy: 'Mend the fields that are named.',
  },
  broker_upgrade_required: {
    status: 426,
    title: 'The broker cannot do this op',
    remedy: 'Upgrade the broker, or use another: `fairlead brokers get` shows what one is capable of.',
  },
  protocol_unsupported: {
    status: 426,
    title: 'No common protocol version',
    remedy: 'Upgrade the older of hub and broker: `fairlead version` says which that is.',
  },
  backlog_full: {
    status: 429,
    title: 'Too many commands wait for this broker',
    remedy: 'Wait as `Retry-After` says; `fairlead why` with the oldest of them says what they wait for.',
  },
  quota_exceeded: {
    status: 429,
    title: 'The project has as many live commands as it may',
    remedy:
      'Wait as `Retry-After` says; `fairlead why` says what one waits for, `fairlead projects update --max-pending` raises the quota.',
  },
  admission_budget_spent: {
    status: 429,
    title: 'Too many brokers connect to this replica at once',
    remedy:
      'Come again to this replica as `Retry-After` says, since the turn holds there; where it lasts, see FAIRLEAD_ADMISSIONS_PER_S and the load of the database.',
  },
  sign_ins_busy: {
    status: 429,
    title: 'Too many people sign in at once',
    remedy: 'Try again as `Retry-After` says; who has signed in already is not held up.',
  },
  too_many_device_grants: {
    status: 429,
    title: 'Too many programs wait to be approved',
    remedy: 'Try again in some minutes, or log in with a token or a password.',
  },
  rate_limited: {
    status: 429,
    title: 'The caller asks too much',
    remedy:
      'Wait as `Retry-After` says; `RateLimit-Policy` tells the limit, which `FAIRLEAD_RATE_LIMITS` sets.',
  },
  internal: {
    status: 500,
    title: 'The hub failed',
    remedy: 'Look for the request id in the log of the hub, which has the cause, and report it with that.',
  },
  provider_unavailable: {
    status: 503,
    title: 'The OpenID provider does not answer',
    remedy:
      'Try again, or sign in with a password; where it lasts, see that the replicas reach FAIRLEAD_OIDC_ISSUER.',
  },
  database_unavailable: {
    status: 503,
    title: 'The hub cannot reach its database',
    remedy: 'Try again as `Retry-After` says; where it lasts, `fairlead doctor` says what keeps them apart.',
  },
  rate_undecided: {
    status: 503,
    title: 'The hub cannot tell now whether the caller asks too much',
    remedy:
      'Try again as `Retry-After` says; where it lasts, its database is away or slow: `fairlead doctor`.',
  },
  overloaded: {
    status: 503,
    title: 'This replica has more to store than it may hold',
    remedy: 'Try again as `Retry-After` says, with the same Idempotency-Key; another replica may have room.',
  },
  lists_busy: {
    status: 503,
    title: 'Too many lists of commands are read at this replica at once',
    remedy:
      'Try again as `Retry-After` says; another replica may have room. A list of a broker, an agent or a state reads less.',
  },
  replica_fenced: {
    status: 503,
    title: 'This replica cannot prove that it is alive',
    remedy:
      'Try again; another replica may answer. Where all say so, the database is away: `fairlead doctor`.',
  },
  draining: {
    status: 503,
    title: 'This replica is going away',
    remedy: 'Try again; another replica will answer.',
  },
  peer_unreachable: {
    status: 503,
    title: 'Another replica, which this needs, cannot be reached',
    remedy: 'Try again; where it goes on, see `peers` in `/health` of both, and what is between them.',
  },
  broker_silent: {
    status: 503,
    title: 'The broker did not answer in time',
    remedy:
      'See whether it is connected, `fairlead brokers get`, and whether it answers, `fairlead brokers ping`.',
  },
  outcome_unknown: {
    status: 503,
    title: 'The database went away while it was being stored',
    remedy:
      'It may be on record: look before you ask for it again, or repeat it with the same Idempotency-Key where it has one.',
  },
} as const satisfies Record<string, { status: number; title: string; remedy: string }>;

export type ProblemCode = keyof typeof PROBLEMS;

/** One field that is wrong: where it stands and the rule it breaks, never its value. */
export type ProblemField = { path: string; rule: string };

/** What a client reads: RFC 9457 problem details with the hub's own members. */
export type Problem = {
  type: string;
  title: string;
  status: number;
  code: ProblemCode;
  detail: string;
  remedy: string;
  requestId: string;
  fields?: ProblemField[];
  [extra: string]: unknown;
};
