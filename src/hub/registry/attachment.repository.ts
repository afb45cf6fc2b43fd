import { Injectable } from '@nestjs/common';
import { isSeen, type Scope } from '../auth/scope.js';
import { Database, type Run } from '../database/database.js';
import { violatedUnique } from '../database/database.errors.js';
import { statement } from '../database/statement.js';
import {
  BROKER_COLUMNS,
  BROKER_FILTER,
  brokerValues,
  type BrokerFilter,
  type BrokerRow,
} from './broker.repository.js';
import { AttachmentConflict } from './attachment.errors.js';
import type { AttachmentState } from './attachment-state.js';
import type { Version } from './version-floor.js';

/** An attachment with what decides whether it is read-only. */
export type AttachmentRow = {
  id: string;
  projectId: string;
  projectName: string;
  floor: Version | null;
  brokerId: string;
  brokerName: string;
  software: string;
  state: AttachmentState;
  isExclusive: boolean;
  attachedBy: string;
  attachedAt: Date;
  changedAt: Date;
  detachedAt: Date | null;
};

/** A broker of a project: its ownership, its presence and its admission, each as its own writer left it. */
export type RosterRow = BrokerRow & Pick<AttachmentRow, 'floor' | 'state' | 'changedAt' | 'detachedAt'>;

export type RosterFilter = BrokerFilter & { state: AttachmentState | null };

type Held = Pick<AttachmentRow, 'state' | 'detachedAt'>;

/** A broker whose attachment has changed, and the replica that holds its link. */
export type Affected = { brokerId: string; owner: string | null };

const COLUMNS = `
         attachment.id, attachment.project_id as "projectId", project.name as "projectName",
         case when project.min_broker_major is not null
           then json_build_object('major', project.min_broker_major, 'minor', project.min_broker_minor) end as floor,
         attachment.broker_id as "brokerId", broker.name as "brokerName", broker.software, attachment.state,
         attachment.is_exclusive as "isExclusive", attachment.attached_by as "attachedBy",
         attachment.attached_at as "attachedAt", attachment.changed_at as "changedAt",
         attachment.detached_at as "detachedAt"`;

const FROM = `
  from broker_attachment attachment
  join project on project.id = attachment.project_id
  join broker on broker.id = attachment.broker_id`;

// The project is held, so that it is not archived meanwhile. A place that the broker holds elsewhere only until its
// next link is given up for this one. What is attached already stays as it is, and what was revoked stays revoked.
const ATTACH = statement(
  'attach_broker',
  `
  with asked as materialized (
    select project.id as project_id, broker.id as broker_id, not broker.is_shared as is_exclusive,
           case
             when connection.replica_id is null or broker.capabilities is null then 'registering'
             when presence.state = 'degraded' then 'degraded'
             else 'online'
           end as state,
           connection.replica_id as owner
    from project
    cross join broker
    left join broker_connection connection on connection.broker_id = broker.id
    left join broker_presence presence on presence.broker_id = broker.id
    where project.id = $2 and project.archived_at is null and broker.id = $3 and broker.revoked_at is null
    for share of project
  ),
  given_up as (
    update broker_attachment other
    set detached_at = now(), changed_at = now()
    from asked
    where other.broker_id = asked.broker_id and other.project_id <> asked.project_id and asked.is_exclusive
      and other.state = 'offline' and other.detached_at is null
      and not exists (
        select from broker_attachment own
        where own.broker_id = asked.broker_id and own.project_id = asked.project_id and own.state <> 'offline'
      )
  ),
  attached as (
    insert into broker_attachment as held (id, project_id, broker_id, state, is_exclusive, attached_by)
    select $1, project_id, broker_id, state, is_exclusive, $4 from asked
    on conflict on constraint broker_attachment_is_one_a_project do update
    set state = excluded.state, is_exclusive = excluded.is_exclusive, attached_by = excluded.attached_by,
        attached_at = now(), changed_at = now(), detached_at = null
    where held.state = 'offline'
    returning held.broker_id
  )
  select attached.broker_id as "brokerId", asked.owner
  from attached
  join asked on asked.broker_id = attached.broker_id
  `,
);

const DETACH = statement(
  'detach_broker',
  `
  with detached as (
    update broker_attachment
    set state = 'offline', detached_at = now(), changed_at = now()
    where project_id = $1 and broker_id = $2 and state <> 'revoked' and detached_at is null
    returning broker_id
  )
  select detached.broker_id as "brokerId", connection.replica_id as owner
  from detached
  left join broker_connection connection on connection.broker_id = detached.broker_id
  `,
);

const REVOKE = statement(
  'revoke_attachment',
  `
  with revoked as (
    update broker_attachment
    set state = 'revoked', detached_at = coalesce(detached_at, now()), changed_at = now()
    where project_id = $1 and broker_id = $2 and state <> 'revoked'
    returning broker_id
  )
  select revoked.broker_id as "brokerId", connection.replica_id as owner
  from revoked
  left join broker_connection connection on connection.broker_id = revoked.broker_id
  `,
);

const GET = statement(
  'get_attachment',
  `select ${COLUMNS} ${FROM}
  where attachment.project_id = $1 and attachment.broker_id = $2`,
);

const HOLD = statement(
  'hold_attachment',
  `
  select state, detached_at as "detachedAt"
  from broker_attachment
  where project_id = $1 and broker_id = $2
  for share
  `,
);

const LIST = statement(
  'list_attachments',
  `select ${COLUMNS} ${FROM}
  where ($1::uuid is null or attachment.id < $1)
    and ($2::uuid is null or attachment.project_id = $2)
    and ($3::uuid is null or attachment.broker_id = $3)
    and ($4::text is null or attachment.state = $4)
    and ${isSeen('attachment.project_id', '$6')}
  order by attachment.id desc
  limit $5`,
);

const OF_BROKERS = statement(
  'read_attachments_of_brokers',
  `select ${COLUMNS} ${FROM}
  where attachment.broker_id = any ($1::uuid[])
  order by attachment.id`,
);

// So many of each broker: what it is attached to before what it was.
const LATEST_OF_BROKERS = statement(
  'read_latest_attachments_of_brokers',
  `select *
  from (
    select ${COLUMNS},
         row_number() over (
           partition by attachment.broker_id order by attachment.detached_at is not null, attachment.id desc
         ) as place,
         (count(*) over (partition by attachment.broker_id))::integer as total ${FROM}
    where attachment.broker_id = any ($1::uuid[]) and ${isSeen('attachment.project_id', '$2')}
  ) seen
  where place <= $3
  order by "brokerId", place`,
);

const ROSTER = statement(
  'list_brokers_of_project',
  `
  select ${BROKER_COLUMNS},
         case when project.min_broker_major is not null
           then json_build_object('major', project.min_broker_major, 'minor', project.min_broker_minor) end as floor,
         attachment.state, attachment.changed_at as "changedAt", attachment.detached_at as "detachedAt"
  from broker_attachment attachment
  join project on project.id = attachment.project_id
  join broker on broker.id = attachment.broker_id
  left join broker_connection connection on connection.broker_id = broker.id
  left join broker_presence presence on presence.broker_id = broker.id
  where attachment.project_id = $9
    and ($10::text is null or attachment.state = $10)
    and ${BROKER_FILTER}
  order by broker.id desc
  limit $2
  `,
);

const OWNERS = statement(
  'find_owners_of_attached_brokers',
  `
  select attachment.broker_id as "brokerId", connection.replica_id as owner
  from broker_attachment attachment
  join broker_connection connection on connection.broker_id = attachment.broker_id
  where attachment.project_id = $1 and attachment.detached_at is null and connection.replica_id is not null
  `,
);

// What presence says of the broker, its attachments follow: off when its lease is over, which frees the slot, and on
// again when it is back and the slot is still free. What people have detached or revoked is not looked at.
const FOLLOW = statement(
  'follow_presence_with_attachments',
  `
  with duty as materialized (
    select pg_try_advisory_xact_lock(hashtextextended('duty attachments', 3)) as mine
  ),
  changing as (
    select attachment.id, connection.replica_id as owner,
           case when presence.state in ('online', 'degraded') then presence.state else 'offline' end as state
    from duty
    join broker_attachment attachment on duty.mine
    join broker on broker.id = attachment.broker_id
    join broker_presence presence on presence.broker_id = attachment.broker_id
    join broker_connection connection on connection.broker_id = attachment.broker_id
    where attachment.detached_at is null and broker.capabilities is not null
      and case attachment.state
        when 'registering' then connection.replica_id is not null and presence.state in ('online', 'degraded')
        when 'offline' then presence.state in ('online', 'degraded') and not (
          attachment.is_exclusive and exists (
            select from broker_attachment other
            where other.broker_id = attachment.broker_id and other.is_exclusive
              and other.state in ('registering', 'online', 'degraded')
          )
        )
        else attachment.state
          <> case when presence.state in ('online', 'degraded') then presence.state else 'offline' end
      end
    order by attachment.id
    for update of attachment skip locked
  )
  update broker_attachment attachment
  set state = changing.state, changed_at = now()
  from changing
  where attachment.id = changing.id
  returning attachment.broker_id as "brokerId", changing.owner
  `,
);

/** SQL of which brokers are attached to which projects. */
@Injectable()
export class AttachmentRepository {
  constructor(private readonly database: Database) {}

  /**
   * Attaches a broker, or takes up its attachment that was off, under the id that it had.
   *
   * @returns undefined where nothing was changed
   * @throws AttachmentConflict
   */
  async attach(
    id: string,
    projectId: string,
    brokerId: string,
    attachedBy: string,
    run: Run = this.database.run,
  ): Promise<Affected | undefined> {
    try {
      return (await run<Affected>(ATTACH, [id, projectId, brokerId, attachedBy]))[0];
    } catch (error) {
      if (violatedUnique(error) === 'broker_attachment_is_exclusive') throw new AttachmentConflict();
      throw error;
    }
  }

  /** @returns undefined where nothing was changed */
  async detach(
    projectId: string,
    brokerId: string,
    run: Run = this.database.run,
  ): Promise<Affected | undefined> {
    return (await run<Affected>(DETACH, [projectId, brokerId]))[0];
  }

  /** @returns undefined where nothing was changed */
  async revoke(
    projectId: string,
    brokerId: string,
    run: Run = this.database.run,
  ): Promise<Affected | undefined> {
    return (await run<Affected>(REVOKE, [projectId, brokerId]))[0];
  }

  async get(projectId: string, brokerId: string): Promise<AttachmentRow | undefined> {
    return (await this.database.run<AttachmentRow>(GET, [projectId, brokerId]))[0];
  }

  /** Until the end of the transaction it is not changed. */
  async hold(run: Run, projectId: string, brokerId: string): Promise<Held | undefined> {
    return (await run<Held>(HOLD, [projectId, brokerId]))[0];
  }

  /** Newest first, those made before the given one. */
  async list(filter: {
    before: string | null;
    projectId: string | null;
    brokerId: string | null;
    state: AttachmentState | null;
    limit: number;
    sees: Scope['sees'];
  }): Promise<AttachmentRow[]> {
    const { before, projectId, brokerId, state, limit, sees } = filter;
    return this.database.runPlanned(LIST, [before, projectId, brokerId, state, limit, sees]);
  }

  /** Brokers that joined before the given one, newest first. */
  async roster(
    projectId: string,
    before: string | null,
    filter: RosterFilter,
    limit: number,
  ): Promise<RosterRow[]> {
    const values = [...brokerValues(before, filter, limit), projectId, filter.state];
    return this.database.runPlanned(ROSTER, values);
  }

  async ofBrokers(brokerIds: readonly string[]): Promise<AttachmentRow[]> {
    return this.database.run(OF_BROKERS, [brokerIds]);
  }

  /** At most so many of each broker that are seen, and how many there are; those that are on, and the latest, come first. */
  async latestOf(
    brokerIds: readonly string[],
    sees: Scope['sees'],
    most: number,
  ): Promise<(AttachmentRow & { total: number })[]> {
    return this.database.run(LATEST_OF_BROKERS, [brokerIds, sees, most]);
  }

  /** The connected brokers of a project, and who holds their links. */
  async ownersIn(projectId: string): Promise<Affected[]> {
    return this.database.run(OWNERS, [projectId]);
  }

  /** Runs on one replica at a time; on the others it finds nothing to do. */
  async followPresence(): Promise<Affected[]> {
    return this.database.run(FOLLOW);
  }
}
