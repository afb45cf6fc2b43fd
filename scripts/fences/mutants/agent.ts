import { mutantsOf } from '../mutant.js';

const SPEC = 'test/integration/fences-agent.spec.ts';

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
  ...mutantsOf('catch_up_agents_with_endings', SPEC, [
    [
      'moves an agent that waits for nothing',
      `where agent.phase in ('starting', 'stopping', 'deleting')`,
      '',
    ],
    ['moves an agent by the command of another', 'ended.id = agent.dispatch_id', 'ended.id <> agent.id'],
    ['waits for an agent that somebody is at', 'for update of agent skip locked', 'for update of agent'],
  ]),
  ...mutantsOf('lock_agent', SPEC, [['does not hold the agent', 'for update of agent', '']]),
  ...mutantsOf('find_agent_by_name', SPEC, [['finds what was deleted', `and phase <> 'deleted'`, '']]),
  ...mutantsOf('list_agents', SPEC, [['lists what was deleted', `and agent.phase <> 'deleted'`, '']]),
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
