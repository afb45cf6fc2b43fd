import { Injectable } from '@nestjs/common';
import type { ProcessSpec } from '../../protocol/op.js';
import { Database } from '../database/database.js';
import { statement } from '../database/statement.js';
import { WITHOUT_ENVIRONMENT } from './without-environment.columns.js';

const IN_CLEAR = statement(
  'find_agents_in_clear',
  `
  select agent.id, agent.spec
  from agent
  where ($1::uuid is null or agent.id > $1)
    and agent.spec -> 'environment' <> '{}'::jsonb
    and not agent.spec -> 'environment' ? '$sealed'
  order by agent.id
  limit $2
  `,
);

const SEAL_ENVIRONMENT = statement(
  'seal_environment_of_agent',
  `
  update agent
  set spec = jsonb_set(agent.spec, '{environment}', $3::jsonb)
  where agent.id = $1 and agent.spec -> 'environment' = $2::jsonb
  returning agent.id
  `,
);

// Those that releases before this one have left.
const EMPTY = statement(
  'empty_environments_of_deleted_agents',
  `
  with filled as (
    select agent.id
    from agent
    where agent.phase = 'deleted' and agent.spec -> 'environment' <> '{}'::jsonb
      and ($1::uuid is null or agent.id > $1)
    order by agent.id
    limit $2
    for update of agent skip locked
  ),
  emptied as (
    update agent
    set spec = ${WITHOUT_ENVIRONMENT}
    from filled
    where agent.id = filled.id
    returning agent.id
  )
  select id from emptied order by id
  `,
);

// What a broker may still have of an agent, it is asked to delete when it comes back: until then it is known that it was one. A
// beat says only that it is back; within minutes of its latest link what it runs has been compared as well.
const FORGET = statement(
  'forget_deleted_agents',
  `
  with old as (
    select agent.id
    from agent
    where agent.phase = 'deleted'
      and agent.updated_at < now() - make_interval(days => $2)
      and ($1::uuid is null or agent.id > $1)
      and not exists (select from agent_stray stray where stray.agent_id = agent.id)
      and (
        agent.run_id is null
        or exists (
          select
          from broker_presence presence
          join broker_connection connection on connection.broker_id = presence.broker_id
          where presence.broker_id = agent.broker_id
            and presence.last_seen_at > greatest(connection.since, agent.updated_at) + interval '10 minutes'
        )
        or not exists (
          select from broker where broker.id = agent.broker_id and broker.revoked_at is null
        )
      )
    order by agent.id
    limit $3
    for update of agent skip locked
  ),
  forgotten as (
    delete from agent
    using old
    where agent.id = old.id
    returning agent.id
  )
  select id from forgotten order by id
  `,
);

/** SQL of what is done to agents by the clock. */
@Injectable()
export class UpkeepRepository {
  constructor(private readonly database: Database) {}

  /** Agents whose environment is not sealed, in the order of their ids. */
  async inClear(after: string | null, limit: number): Promise<{ id: string; spec: ProcessSpec }[]> {
    return this.database.run(IN_CLEAR, [after, limit]);
  }

  /** @returns false where it is not what it was */
  async sealEnvironment(id: string, from: object, to: object): Promise<boolean> {
    const values = [id, JSON.stringify(from), JSON.stringify(to)];
    return (await this.database.run(SEAL_ENVIRONMENT, values)).length > 0;
  }

  /** Empties environments of agents that were deleted. @returns which, in the order of their ids, at most `most` */
  async emptyDeleted(after: string | null, most: number): Promise<string[]> {
    return (await this.database.run<{ id: string }>(EMPTY, [after, most])).map(({ id }) => id);
  }

  /**
   * Forgets agents that were deleted longer ago, and of which nothing can be left anywhere.
   *
   * @returns which, in the order of their ids, at most `most`
   */
  async forgetDeleted(after: string | null, olderThanDays: number, most: number): Promise<string[]> {
    return (await this.database.run<{ id: string }>(FORGET, [after, olderThanDays, most])).map(
      ({ id }) => id,
    );
  }
}
