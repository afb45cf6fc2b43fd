import { mutantsOf, passingOver } from '../mutant.js';

const SPEC = 'test/integration/fences-agent.spec.ts';
const TURNS_SPEC = 'test/integration/fences-turns.spec.ts';

export const AGENT = [
  ...mutantsOf('take_agent_reports', SPEC, [
    ['believes another broker', 'and agent.broker_id = said.broker_id', ''],
    ['believes another run', 'and agent.run_id = said.run_id', ''],
    [
      'lets a report move an agent backwards',
      `agent.phase = any (string_to_array(said.allowed, ','))`,
      'said.allowed is not null',
    ],
    ['takes a report that comes again', 'and agent.restarts < said.restarts', ''],
    ['counts restarts of a run that is over', `and agent.phase = 'running' and`, 'and'],
  ]),
  ...mutantsOf('take_agent_reports', TURNS_SPEC, [
    ['believes it of a run that began meanwhile', 'for update of agent', ''],
  ]),
  ...mutantsOf('catch_up_agents_with_endings', SPEC, [
    [
      'moves an agent that waits for nothing',
      `where agent.phase in ('starting', 'stopping', 'deleting')`,
      '',
    ],
    ['moves an agent by the command of another', 'ended.id = agent.dispatch_id', 'ended.id <> agent.id'],
    ...passingOver('for update of agent skip locked'),
    ['undoes what was sent', 'ended.attempt = 0 and (ended.state', '(ended.state'],
    ['undoes another command', `agent.undo -> 0 ->> 'command' = ended.id::text and`, ''],
    ['forgets what lies below', `nullif(agent.undo - 0, '[]')`, 'null::jsonb'],
    ['undoes whatever expired', `and ended.op = 'agent.restart'`, ''],
    ['keeps what was deleted unheard', 'or due.is_unheard', ''],
    [
      'takes a delete that was sent for unheard',
      `ended.attempt = 0 and ended.state = 'expired'`,
      `ended.state = 'expired'`,
    ],
    [
      'keeps the environment of what is deleted',
      `case when moved.phase = 'deleted' then jsonb_set(agent.spec, '{environment}', '{}') else agent.spec end`,
      'agent.spec',
    ],
  ]),
  ...mutantsOf('delete_agent_of_revoked_broker', SPEC, [
    ['deletes all', 'where id = $1', 'where $1::uuid is not null'],
  ]),
  ...mutantsOf('empty_environments_of_deleted_agents', SPEC, [
    ['empties what is not deleted', `agent.phase = 'deleted' and`, ''],
    [
      'empties more than it found',
      'where agent.id = filled.id',
      `where agent.id = filled.id or agent.spec ? 'environment'`,
    ],
    [
      'begins at the front in each batch',
      'and ($1::uuid is null or agent.id > $1)',
      'and ($1::uuid is null or true)',
    ],
    ['passes over some', 'order by agent.id', 'order by agent.id desc'],
  ]),
  ...mutantsOf(
    'empty_environments_of_deleted_agents',
    TURNS_SPEC,
    passingOver('for update of agent skip locked'),
  ),
  ...mutantsOf('forget_deleted_agents', SPEC, [
    ['forgets what is not deleted', `agent.phase = 'deleted' and`, ''],
    [
      'forgets what was deleted of late',
      'and agent.updated_at < now() - make_interval(days => $2)',
      'and $2::integer > 0',
    ],
    [
      'forgets what goes on as a stray',
      'and not exists (select from agent_stray stray where stray.agent_id = agent.id)',
      '',
    ],
    [
      'forgets what a broker may come back with',
      'greatest(connection.since, agent.updated_at)',
      'connection.since',
    ],
    [
      'forgets what a broker has just come back with',
      'greatest(connection.since, agent.updated_at)',
      'agent.updated_at',
    ],
    ['forgets at the first beat', `+ interval '10 minutes'`, ''],
    ['takes one broker for another', 'presence.broker_id = agent.broker_id and', ''],
    ['goes by the link of another broker', 'on connection.broker_id = presence.broker_id', 'on true'],
    [
      'begins at the front in each batch',
      'and ($1::uuid is null or agent.id > $1)',
      'and ($1::uuid is null or true)',
    ],
    ['passes over some', 'order by agent.id', 'order by agent.id desc'],
    ['waits for a broker that was revoked', 'and broker.revoked_at is null', ''],
    ...passingOver('for update of agent skip locked'),
    [
      'forgets more than it found',
      'where agent.id = old.id',
      `where agent.id = old.id or agent.phase <> 'failed'`,
    ],
  ]),
  ...mutantsOf('find_standing_of_run', SPEC, [
    ['lets another run go on', 'agent.run_id is not distinct from $3 and', '$3::uuid is not null and'],
    ['lets a run go on that is over', `agent.phase in ('starting', 'running', 'stopping')`, 'true'],
    ['tells another broker of it', 'and agent.broker_id = $2', 'and $2::uuid is not null'],
    ['goes on with a revoked broker', 'and broker.revoked_at is null', ''],
    ['goes on with a detached broker', 'and attachment.detached_at is null', ''],
    ['takes an attachment to another project', 'attachment.project_id = agent.project_id and', ''],
    ['takes the attachment of another broker', 'and attachment.broker_id = agent.broker_id', ''],
  ]),
  ...mutantsOf('end_lost_run', SPEC, [
    ['believes another replica', 'and connection.replica_id = $2', 'and $2::uuid is not null'],
    ['believes an older epoch', 'and connection.epoch = $3', 'and $3::bigint is not null'],
    ['does not wait for a new connection', 'for share', ''],
    ['ends a run that is on another broker', 'on agent.broker_id = held.broker_id', 'on true'],
    ['ends another run', 'and agent.run_id = $5', 'and $5::uuid is not null'],
    [
      'ends what is over, or is being deleted',
      `and agent.phase = any (string_to_array($7, ','))`,
      'and $7::text is not null',
    ],
    [
      'does not leave it to the command that is out',
      'and not exists (select from broker_dispatch live where live.id = agent.dispatch_id offset 0)',
      '',
    ],
    ['judges an agent that somebody changes', 'for update of agent', ''],
    ['starts what was never seen to run', `agent.phase = 'running' and`, ''],
    ['starts what nobody wants to run', `agent.wanted = 'running'`, 'true'],
    ['starts what has no policy for it', `<> 'never'`, 'is not null'],
    [
      'starts at once what is lost at once',
      'and agent.updated_at < now() - make_interval(secs => $6)',
      'and $6::integer is not null',
    ],
  ]),
  ...mutantsOf('keep_strays_of_broker', SPEC, [
    ['believes another replica', 'and connection.replica_id = $2', 'and $2::uuid is not null'],
    ['believes an older epoch', 'and connection.epoch = $3', 'and $3::bigint is not null'],
    ['does not wait for a new connection', 'for share', ''],
    ['forgets those of other brokers', 'stray.broker_id = held.broker_id and', ''],
    [
      'takes what it finds again for new',
      'id = case when stray.run_id = excluded.run_id then stray.id else excluded.id end',
      'id = excluded.id',
    ],
  ]),
  ...mutantsOf('lock_agent', SPEC, [['does not hold the agent', 'for update of agent', '']]),
  ...mutantsOf('find_agent_by_name', SPEC, [['finds what was deleted', `and phase <> 'deleted'`, '']]),
  ...mutantsOf('list_agents', SPEC, [['lists what was deleted', `and agent.phase <> 'deleted'`, '']]),
  ...mutantsOf('read_what_agent_was', SPEC, [
    ['reads what another agent was', 'where agent.id = $1', 'where $1::uuid is not null'],
    ['takes what was sent for given up', 'ended.attempt = 0 and', ''],
    ['takes whatever expired for given up', `and ended.op = 'agent.restart'`, ''],
    ['begins with what was first', 'order by was.depth', 'order by was.depth desc'],
  ]),
  ...mutantsOf('read_agents_to_compare', SPEC, [
    [
      'judges what has not followed its end',
      'exists (select from broker_dispatch_history ended where ended.id = agent.dispatch_id offset 0)',
      'false',
    ],
    [
      'waits for an end that was followed long ago',
      `agent.phase in ('starting', 'stopping', 'deleting') and exists`,
      'exists',
    ],
    ['leaves out what is being deleted', `'stopping', 'deleting'))`, `'stopping'))`],
  ]),
  ...mutantsOf('step_agent', SPEC, [
    [
      'shows how an earlier run ended',
      'exit_code = case when run_id is not distinct from $4::uuid then exit_code end',
      'exit_code = exit_code',
    ],
    [
      'counts the restarts of an earlier run',
      'restarts = case when run_id is not distinct from $4::uuid then restarts else 0 end',
      'restarts = restarts',
    ],
  ]),
];
