import { isOfKey } from '../../../src/hub/dispatch/key-rule.columns.js';
import { mutantsOf, passingOver } from '../mutant.js';

const SPEC = 'test/integration/fences-insert.spec.ts';
const HAND_OFF_SPEC = 'test/e2e/hand-off.spec.ts';

/** What every insert must hold, whether it counts and keeps keys or need not. */
const SHARED_BY_ALL: Parameters<typeof mutantsOf>[2] = [
  ['takes work for a revoked broker', 'and broker.revoked_at is null', ''],
  ['takes work that the broker is not capable of', 'not broker.capabilities ? input.capability', 'false'],
  ['takes work for a link that is not there', `broker.owner is null then 'offline'`, `false then 'offline'`],
  ['stores what it refuses', 'where refusal is null', `where refusal is distinct from 'none'`],
  ['binds to a link that is over', 'and owner is not null then link', 'then link'],
  ['binds to no link', 'contract = any ($19::text[]) and', '$19::text[] is null and'],
];
const SHARED: typeof SHARED_BY_ALL = [
  ...SHARED_BY_ALL,
  [
    'stores in another order than that of arrival',
    'order by place returning id, seq',
    'order by id returning id, seq',
  ],
];

/** What must hold where it counts and keeps keys. */
const COUNTING: typeof SHARED_BY_ALL = [
  ['takes work past the cap', `then 'full'`, 'then null'],
  ['counts the work of all brokers for one', 'dispatch.broker_id = asked.broker_id and', ''],
  [
    'does not count what the same statement adds',
    '+ row_number() over (partition by input.broker_id order by input.place)',
    '+ 1',
  ],
  [
    'uses the key of a refused request up',
    'where key is not null and refusal is null',
    'where key is not null',
  ],
  [
    'stores a request again whose key was used',
    'and (key is null or exists (select from kept where kept.subject_id = input.id))',
    '',
  ],
];

/** What must hold of every command that is stored as claimed. */
const HANDED: typeof SHARED_BY_ALL = [
  ['hands off under an epoch that is over', 'and connection.epoch = handing.epoch', ''],
  [
    'claims for an owner whose broker has not told its inventory',
    'connection.replica_id <> $17 and floor.ready_epoch = connection.epoch',
    'connection.replica_id <> $17',
  ],
  ['claims for another in its own name', 'owned.replica_id as claimant', '$17::uuid as claimant'],
  ['waits for who holds the connection', 'for share of connection skip locked', 'for share of connection'],
  ['overtakes an earlier one of the key', isOfKey('other', 'input', 'broker.floor'), 'false'],
];

/** What must hold of them as well, each told by the rows of one statement. */
const OFFERED: typeof SHARED_BY_ALL = [
  [
    'takes no turn with a connect',
    'pg_try_advisory_xact_lock_shared(hashtextextended(asked.broker_id::text, 1))',
    'true',
  ],
  ['hands off while a connect has its turn', 'where handing.has_turn and case', 'where case'],
  ['does not hold the connection', 'for share of connection skip locked', ''],
  [
    'hands off what another replica holds',
    'connection.replica_id = $17 and connection.epoch = handing.epoch',
    'connection.epoch = handing.epoch',
  ],
  [
    'claims ahead for itself, past its own backlog',
    'else connection.replica_id <> $17 and floor',
    'else floor',
  ],
];
/** One alone is offered, or this is not the statement that stores it. */
const OFFERED_OF_MANY: typeof SHARED_BY_ALL = [
  ...OFFERED,
  ['hands off what was not offered', 'input.is_offered and broker.claimant', 'broker.claimant'],
];

/** By what a command is refused in the project that it names. */
const IN_PROJECTS: typeof SHARED_BY_ALL = [
  ['does not wait for the end of the project', 'for share of project', ''],
  ['takes work for a project that there is not', `then 'project_unknown'`, 'then null'],
  ['takes work for a project that is archived', `then 'project_archived'`, 'then null'],
  ['takes work for a broker that was shut out', `then 'attachment_revoked'`, 'then null'],
  ['takes work for a broker that was never attached', `then 'unattached'`, 'then null'],
  ['takes work for a broker that was detached', 'or attachment.detached_at is not null', ''],
  ['takes work below the floor', `then 'below_floor'`, 'then null'],
  [
    'does not even ask a broker below the floor',
    'input.op <> all ($23::text[]) and',
    '$23::text[] is not null and',
  ],
];

export const INSERT = [
  ...mutantsOf('insert_dispatches', SPEC, [...SHARED, ...COUNTING]),
  ...mutantsOf('insert_dispatches_lean', SPEC, SHARED),
  ...mutantsOf('insert_dispatches_lean_of_one', SPEC, SHARED_BY_ALL),
  ...mutantsOf('insert_dispatches_handing_off', HAND_OFF_SPEC, HANDED),
  ...mutantsOf('insert_dispatches_handing_off', SPEC, OFFERED_OF_MANY),
  ...mutantsOf('insert_dispatches_handing_off_lean', HAND_OFF_SPEC, HANDED),
  ...mutantsOf('insert_dispatches_handing_off_lean', SPEC, OFFERED_OF_MANY),
  ...mutantsOf('insert_dispatches_handing_off_lean_of_one', HAND_OFF_SPEC, HANDED),
  ...mutantsOf('insert_dispatches_handing_off_lean_of_one', SPEC, OFFERED),
  ...mutantsOf('insert_dispatches_in_projects', SPEC, [...SHARED, ...COUNTING, ...IN_PROJECTS]),
  ...mutantsOf('insert_dispatches_in_projects', 'test/integration/dead-entries.spec.ts', [
    [
      'counts on from where something may still become visible',
      'least(live.lowest, $26::bigint)',
      'coalesce(live.lowest, $26::bigint)',
    ],
  ]),
  ...mutantsOf('insert_dispatches_in_projects', 'test/e2e/project-commands.spec.ts', [
    ['does not wait for a detach', 'for share of attachment', ''],
    ['takes work past the quota', `then 'over_quota'`, 'then null'],
    [
      'lets nothing end that runs in a project that is archived',
      'not input.ends_run and project.archived_at',
      'project.archived_at',
    ],
    [
      'lets nothing end that runs at a broker that was shut out',
      'not input.ends_run and attachment.state',
      'attachment.state',
    ],
    [
      'lets nothing end that runs at a broker that was detached',
      'not input.ends_run and input.project_id is not null and',
      'input.project_id is not null and',
    ],
  ]),
  ...mutantsOf('find_idempotency_keys', SPEC, [
    ['takes the keys of all callers for one', 'kept.scope = asked.scope and', ''],
  ]),
  ...mutantsOf('keep_idempotency_key', SPEC, [
    [
      'gives a key that was used to the next',
      'on conflict do nothing',
      'on conflict (scope, key) do update set subject_id = excluded.subject_id',
    ],
  ]),
  ...mutantsOf('keep_answer_of_key', SPEC, [
    [
      'answers all requests of a route by one',
      'where scope = $1 and key = $2',
      `where scope = $1 and $2 <> ''`,
    ],
    [
      'answers the requests of others with the same key',
      'where scope = $1 and key = $2',
      `where key = $2 and $1 <> ''`,
    ],
  ]),
  ...mutantsOf('sweep_idempotency_keys', SPEC, [
    ...passingOver('for update skip locked'),
    ['forgets keys too soon', `- interval '24 hours'`, `- interval '1 hour'`],
    [
      'forgets the keys of others with an old one',
      'idempotency_key.scope = old.scope and idempotency_key.key = old.key',
      'idempotency_key.scope = old.scope',
    ],
  ]),
];
