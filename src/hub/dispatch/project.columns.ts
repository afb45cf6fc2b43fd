import { BELOW_FLOOR } from '../registry/below-floor.columns.js';
import { rowsOf } from '../database/rows-of.js';
import type { Version } from '../registry/version-floor.js';

/** Why a command was not stored in the project that it names. */
export type ProjectRefusal =
  'project_unknown' | 'project_archived' | 'attachment_revoked' | 'unattached' | 'below_floor' | 'over_quota';

/** What an insert tells of the project of a command. */
export type JudgedByProject = {
  /** Live commands of the project before the statement, counted up to the quota; null where they were not. */
  queued: number | null;
  quota: number | null;
  floor: Version | null;
  software: string | null;
  /** The `seq` below which the count saw none alive, at most what was settled; null where they were not counted. */
  queuedFrom: number | null;
  /** The last `seq` that was given out to anybody; null in all rows of a statement but the first, since it is the same. */
  lastSeq: number | null;
};

/** The parts by which an insert that knows of no projects differs from one that judges by them: it has none. */
export const WITHOUT_PROJECT = {
  /** How many parameters they have. */
  parameters: 0,
  held: '',
  given: {},
  column: '',
  joins: '',
  refusals: '',
  overQuota: '',
  facts: '',
  told: '',
};

/**
 * Commands in projects. The project and the attachment are held until the commit, each as it is under its lock: a floor
 * that rises, a detach or a change of the quota comes before this statement or after it, never in between. A
 * quota is compared with a count where the replica does not know of few, and always where counting costs little. It begins below
 * what is alive, as far as the replica knows, so that it does not walk what has ended (`LowestLive`). What ends a run
 * is not held up by a project that is archived, or that the broker has left.
 */
export const IN_PROJECTS: typeof WITHOUT_PROJECT = {
  parameters: 7,
  held: `held_project as materialized (
    select project.id, project.max_pending, project.min_broker_major, project.min_broker_minor, project.archived_at,
           asked.known, asked.counted_from
    from (${rowsOf({ id: '$21::uuid[]', known: '$22::integer[]', counted_from: '$25::bigint[]' })}) asked
    join project on project.id = asked.id
    order by project.id
    for share of project
  ),
  held_attachment as materialized (
    select attachment.project_id, attachment.broker_id, attachment.state, attachment.detached_at
    from held_project
    join broker_attachment attachment on attachment.project_id = held_project.id
    where attachment.broker_id = any ($2::uuid[])
    order by attachment.project_id, attachment.broker_id
    for share of attachment
  ),
  queued as materialized (
    select held_project.id, live.depth, least(live.lowest, $26::bigint) as live_from
    from held_project
    cross join lateral (
      select count(*) as depth, min(live.seq) as lowest from (
        select dispatch.seq from broker_dispatch dispatch
        where dispatch.project_id = held_project.id and dispatch.seq >= held_project.counted_from
        order by dispatch.seq
        limit held_project.max_pending
      ) live
    ) live
    where held_project.known is null
       or held_project.max_pending <= 1000
       or held_project.known >= 0.8 * held_project.max_pending
  ),
  `,
  given: { project_id: '$20::uuid[]', ends_run: '$24::boolean[]' },
  column: ', project_id',
  joins: `
    left join held_project project on project.id = input.project_id
    left join held_attachment attachment
      on attachment.project_id = input.project_id and attachment.broker_id = input.broker_id
    left join queued on queued.id = input.project_id`,
  refusals: `
             when input.project_id is not null and project.id is null then 'project_unknown'
             when not input.ends_run and project.archived_at is not null then 'project_archived'
             when not input.ends_run and attachment.state = 'revoked' then 'attachment_revoked'
             when not input.ends_run and input.project_id is not null
               and (attachment.project_id is null or attachment.detached_at is not null) then 'unattached'
             when input.op <> all ($23::text[]) and ${BELOW_FLOOR} then 'below_floor'`,
  overQuota: `
             when queued.depth + row_number() over (partition by input.project_id order by input.place)
               > project.max_pending then 'over_quota'`,
  facts: `,
           queued.depth as queued, queued.live_from, project.max_pending as quota, broker.software,
           case when project.min_broker_major is not null
             then json_build_object('major', project.min_broker_major, 'minor', project.min_broker_minor) end as floor`,
  told: `, input.queued, input.live_from as "queuedFrom", input.quota, input.floor, input.software,
         case when input.place = 1 then (select last_value from broker_dispatch_seq_seq) end as "lastSeq"`,
};
