import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import { toJsonb } from '../database/jsonb.js';
import { statement } from '../database/statement.js';
import type { RolloutReport, RolloutRow, RolloutStep } from './rollout-row.js';

const COLUMNS = `
  select id, replica_id as "replicaId", replica_name as "replicaName", software, begun_at as "begunAt",
         ended_at as "endedAt", outcome, steps, judged_at as "judgedAt", report
  from rollout
`;

// Written whole at each step, so that a step that could not be written is told by the next; under the id of the replica that
// it began as, and not once it has ended.
const WRITE = statement(
  'write_rollout',
  `
  insert into rollout (id, replica_id, replica_name, software, begun_at, steps, outcome, ended_at)
  values ($1, $2, $3, $4, now() - make_interval(secs => $5), $6::jsonb, $7::text,
          case when $7::text is not null then now() end)
  on conflict (id) do update
  set steps = excluded.steps, outcome = excluded.outcome, ended_at = excluded.ended_at
  where rollout.ended_at is null
  `,
);

const LIST = statement(
  'list_rollouts',
  `${COLUMNS}  where $1::uuid is null or id < $1
  order by id desc
  limit $2`,
);

const FIND = statement('find_rollout', `${COLUMNS}  where id = $1`);

// One whose replica died on the way has no end of its own: it is over with its replica. Whoever judges has the time of a
// lease for it; of one that dies over it the next takes it up.
// One that was looked at before waits for those that were not: it may wait for a broker that is away.
const TAKE = statement(
  'take_rollout_to_judge',
  `
  with due as materialized (
    select rollout.id, coalesce(rollout.ended_at, replica.ended_at, rollout.begun_at) as ended_at
    from rollout
    left join hub_replica replica on replica.id = rollout.replica_id
    where rollout.judged_at is null
      and (rollout.ended_at is not null or replica.id is null or replica.state = 'gone')
      and (rollout.judging_until is null or rollout.judging_until < clock_timestamp())
    order by rollout.judging_until nulls first, rollout.id
    limit 1
    for update of rollout skip locked
  )
  update rollout
  set judging_until = clock_timestamp() + interval '30 seconds'
  from due
  where rollout.id = due.id
  returning rollout.id, rollout.replica_id as "replicaId", rollout.begun_at as "begunAt", due.ended_at as "endedAt",
            extract(epoch from clock_timestamp() - due.ended_at)::double precision as "ageS"
  `,
);

const PUT_OFF = statement(
  'put_judgement_of_rollout_off',
  `update rollout set judging_until = clock_timestamp() + interval '1 second' where id = $1 and judged_at is null`,
);

const JUDGE = statement(
  'judge_rollout',
  `update rollout set report = $2::jsonb, judged_at = now() where id = $1 and judged_at is null`,
);

const FORGET = statement(
  'forget_old_rollouts',
  `delete from rollout where begun_at < now() - interval '30 days'`,
);

/** What a replica says of its own drain. */
export type DrainRecord = Pick<RolloutRow, 'id' | 'replicaId' | 'replicaName' | 'software' | 'outcome'> & {
  /** Milliseconds since it began. */
  ageMs: number;
  steps: readonly RolloutStep[];
};

/** A drain that is over, and what it is judged by. */
export type DueRollout = { id: string; replicaId: string; begunAt: Date; endedAt: Date; ageS: number };

/** SQL of drains and what became of them. */
@Injectable()
export class RolloutRepository {
  constructor(private readonly database: Database) {}

  /** All that a drain has come to. What has ended stays as it is. */
  async write({ id, replicaId, replicaName, software, ageMs, steps, outcome }: DrainRecord): Promise<void> {
    const about = [id, replicaId, replicaName, software, ageMs / 1_000];
    await this.database.run(WRITE, [...about, toJsonb(steps), outcome]);
  }

  /** Newest first, those before the given one. */
  async list(before: string | null, limit: number): Promise<RolloutRow[]> {
    return this.database.run(LIST, [before, limit]);
  }

  async find(id: string): Promise<RolloutRow | undefined> {
    return (await this.database.run<RolloutRow>(FIND, [id]))[0];
  }

  /** One that is over and was not judged, for 30 s. */
  async takeDue(): Promise<DueRollout | undefined> {
    return (await this.database.run<DueRollout>(TAKE))[0];
  }

  /** Gives it back for a second. */
  async putOff(id: string): Promise<void> {
    await this.database.run(PUT_OFF, [id]);
  }

  async judge(id: string, report: RolloutReport): Promise<void> {
    await this.database.run(JUDGE, [id, toJsonb(report)]);
  }

  async forgetOld(): Promise<void> {
    await this.database.run(FORGET);
  }
}
