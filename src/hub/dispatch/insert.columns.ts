import { rowsOf, type RowShape } from '../database/rows-of.js';
import type { HandOffParts } from './hand-off.columns.js';
import type { WITHOUT_PROJECT } from './project.columns.js';
import { step } from './trail-step.js';

/** The columns of a draft, as arrays. */
const INPUT = {
  id: '$1::uuid[]',
  broker_id: '$2::uuid[]',
  agent_id: '$3::uuid[]',
  op: '$4::text[]',
  args: '$5::text[]',
  capability: '$6::text[]',
  lane: '$7::text[]',
  ordering_key: '$8::text[]',
  deadline_s: '$9::double precision[]',
  contract: '$10::text[]',
  not_before: '$11::timestamptz[]',
  redrive_of: '$12::uuid[]',
  initiator: '$13::text[]',
  scope: '$14::text[]',
  key: '$15::text[]',
  request_hash: '$16::text[]',
};
/** Beside the columns: who stores them, for which brokers, and which contracts are bound to a link. */
const ORIGIN = '$17::uuid';
const BROKERS = '$18::uuid[]';
const LINK_BOUND = '$19::text[]';
const COMMON = 19;

/** Whether an insert counts backlogs and keeps idempotency keys; most need neither, and their statement has less to do. */
export const WHOLE = true;
export const LEAN = false;

/**
 * An insert of drafts, in the order in which they are given.
 *
 * What is to be known of a broker is looked up once for each, by its id: a join would read all brokers that there are, since a
 * plan that was made for a few is kept. A broker that has not yet said what it can do is given the benefit of the doubt.
 * Idempotency keys are written in sorted order, so that two replicas cannot wait for each other. Live commands are counted
 * for the brokers that are named, and only from the floor below which none lives.
 *
 * @param projects, handOff what differs where commands are in projects, and where they may be stored as claimed
 * @param shape how the drafts are given
 */
export function insertText(
  projects: typeof WITHOUT_PROJECT,
  handOff: HandOffParts,
  isWhole: boolean,
  shape: RowShape,
): string {
  const { orderBy, areOfOneRow } = shape;
  const handing = handOff(shape);
  const used = COMMON + projects.parameters + handing.parameters;
  const counting = isWhole ? countingFrom(used + 1) : WITHOUT_COUNT;
  return `
  with ${projects.held}${handing.held}${counting.held}about as materialized (
    select asked.broker_id, broker.id, broker.name, broker.capabilities, broker.software, broker.version_major,
           broker.version_minor, connection.replica_id as owner, connection.epoch as link${counting.depth}${handing.about}
    from (${shape.rowsOf({ broker_id: BROKERS })}) asked
    left join lateral (
      select * from broker where broker.id = asked.broker_id and broker.revoked_at is null offset 0
    ) broker on true
    left join lateral (
      select * from broker_connection connection where connection.broker_id = asked.broker_id offset 0
    ) connection on true${counting.join}${handing.join}
  ),
  input as materialized (
    select input.*, broker.name as broker_name, broker.owner, broker.link, broker.depth,
           case
             when broker.id is null then 'broker_unknown'${projects.refusals}
             when input.capability is not null and not broker.capabilities ? input.capability then 'incapable'
             when input.contract = 'now_or_fail' and broker.owner is null then 'offline'${counting.full}${projects.overQuota}
           end as refusal${projects.facts}${handing.facts}
    from (${shape.rowsInPlace({ ...INPUT, ...projects.given, ...handing.given }, '$1::uuid[]')}) input
    join about broker on ${areOfOneRow('broker.broker_id', 'input.broker_id')}${projects.joins}
  ),${counting.kept}
  inserted as (
    insert into broker_dispatch
      (id, broker_id, agent_id, op, args, lane, ordering_key, state, contract, link_epoch, not_before, deadline_at,
       origin_replica, redrive_of, initiator, trail${projects.column}${handing.columns})
    select id, broker_id, agent_id, op, args::jsonb, lane, ordering_key, ${handing.state}, contract,
           case when contract = any (${LINK_BOUND}) and owner is not null then link end, not_before,
           now() + make_interval(secs => deadline_s), ${ORIGIN}, redrive_of, initiator::jsonb,
           array[${step({ state: "'pending'", replica: ORIGIN })}]${handing.claimStep}${projects.column}${handing.values}
    from input
    where refusal is null${counting.isKept}
    ${orderBy('place')}
    returning id, seq
  )
  select input.id, inserted.seq, input.refusal, input.owner, input.depth, input.broker_name as "brokerName",
         case when input.place = 1 then now() end as "createdAt"${projects.told}${handing.told}
  from input
  left join inserted on ${areOfOneRow('inserted.id', 'input.id')}
  ${orderBy('input.place')}
  `;
}

const WITHOUT_COUNT = {
  held: '',
  depth: ', null::bigint as depth',
  join: '',
  full: '',
  kept: '',
  isKept: '',
};

/** @param first the number of the first parameter: the brokers whose live commands are counted; then, the cap */
function countingFrom(first: number): typeof WITHOUT_COUNT {
  const most = `$${first + 1}`;
  return {
    held: `counted as materialized (
    select asked.broker_id, live.depth
    from (${rowsOf({ broker_id: `$${first}::uuid[]` })}) asked
    left join lateral (
      select seq from broker_dispatch_floor floor where floor.broker_id = asked.broker_id offset 0
    ) floor on true
    cross join lateral (
      select count(*) as depth from (
        select from broker_dispatch dispatch
        where dispatch.broker_id = asked.broker_id and dispatch.seq >= coalesce(floor.seq, 0)
        limit ${most}
      ) live
    ) live
  ),
  `,
    depth: ', counted.depth',
    join: `
    left join counted on counted.broker_id = asked.broker_id`,
    full: `
             when broker.depth + row_number() over (partition by input.broker_id order by input.place) > ${most}
               then 'full'`,
    kept: `
  kept as (
    insert into idempotency_key (scope, key, request_hash, subject_id)
    select scope, key, request_hash, id
    from input
    where key is not null and refusal is null
    order by scope, key
    on conflict do nothing
    returning subject_id
  ),`,
    isKept: ' and (key is null or exists (select from kept where kept.subject_id = input.id))',
  };
}
