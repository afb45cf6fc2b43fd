import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import { sought } from '../database/sought.js';
import { statement } from '../database/statement.js';
import { statesBefore } from './state.js';

/** How far one attempt is, by the word of the broker on one link; of what is null the row keeps what it has. */
export type ProgressWord = {
  id: string;
  brokerId: string;
  attempt: number;
  epoch: number;
  fraction: number | null;
  note: string | null;
};

// What a crash takes back the next word brings, so it does not wait for the disk. The column is in no index.
const NOTE = statement(
  'note_progress',
  `
  with relaxed as materialized (select set_config('synchronous_commit', 'off', true)),
  locked as materialized (
    select dispatch.id, said.fraction, said.note
    from relaxed, unnest($1::uuid[], $2::uuid[], $3::integer[], $4::bigint[], $5::double precision[], $6::text[])
      as said (id, broker_id, attempt, epoch, fraction, note)
    join broker_dispatch dispatch on ${sought('dispatch.id', 'said.id')}
    where dispatch.broker_id is not distinct from said.broker_id
      and dispatch.attempt = said.attempt
      and dispatch.claim_epoch = said.epoch
      and dispatch.state = any ($7::text[])
    order by dispatch.seq
    for update of dispatch
  )
  update broker_dispatch dispatch
  set progress = case when (dispatch.progress ->> 'attempt')::integer = dispatch.attempt then dispatch.progress
                      else '{"fraction": null, "note": null}' end
                 || jsonb_strip_nulls(jsonb_build_object(
                      'fraction', locked.fraction, 'note', locked.note, 'attempt', dispatch.attempt,
                      'at', clock_timestamp()
                    ))
  from locked
  where ${sought('dispatch.id', 'locked.id')}
  returning dispatch.id, dispatch.origin_replica as "originReplica"
  `,
);

const OF_AGENTS = statement(
  'find_attempts_of_agents',
  `select id, attempt from broker_dispatch where id = any ($1::uuid[]) and agent_id = any ($2::uuid[])`,
);

const HEARD = statement(
  'find_progress_times',
  `select id, progress ->> 'at' as at from broker_dispatch where id = any ($1::uuid[]) and progress is not null`,
);

/** SQL of how far commands are that are out. */
@Injectable()
export class ProgressRepository {
  constructor(private readonly database: Database) {}

  /** @returns those that fitted their rows, and where they came in; any other word changes nothing */
  async note(words: readonly ProgressWord[]): Promise<{ id: string; originReplica: string }[]> {
    const column = <T>(pick: (word: ProgressWord) => T) => words.map(pick);
    return this.database.run(NOTE, [
      column(({ id }) => id),
      column(({ brokerId }) => brokerId),
      column(({ attempt }) => attempt),
      column(({ epoch }) => epoch),
      column(({ fraction }) => fraction),
      column(({ note }) => note),
      statesBefore('succeed'),
    ]);
  }

  /** Of some commands, those that are about one of the agents. */
  async ofAgents(
    ids: readonly string[],
    agentIds: readonly string[],
  ): Promise<{ id: string; attempt: number }[]> {
    return this.database.run(OF_AGENTS, [ids, agentIds]);
  }

  /** When something was last heard of each; those of which nothing was are left out. */
  async heardAt(ids: readonly string[]): Promise<{ id: string; at: string }[]> {
    return this.database.run(HEARD, [ids]);
  }
}
