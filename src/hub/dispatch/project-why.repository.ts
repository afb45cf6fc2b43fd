import { Injectable } from '@nestjs/common';
import { Database } from '../database/database.js';
import { statement } from '../database/statement.js';
import { BELOW_FLOOR } from '../registry/below-floor.columns.js';
import { PENDING_MOST } from './depths.js';
import { InsertRepository } from './insert.repository.js';
import type { ProjectCircumstances } from './project-why.js';

// One statement, so that all facts are of one moment; judged as an insert judges them, and counted from where one counts.
const WHY = statement(
  'read_circumstances_in_project',
  `
  select project.id as "projectId", project.name as "projectName", project.archived_at as "archivedAt",
         case when project.min_broker_major is not null
           then json_build_object('major', project.min_broker_major, 'minor', project.min_broker_minor) end as floor,
         project.max_pending as "maxPending", queued.count as queued,
         broker.id as "brokerId", broker.name as "brokerName", broker.software, broker.revoked_at as "revokedAt",
         live.count as depth, attachment.state as attachment, attachment.changed_at as "attachmentChangedAt",
         attachment.detached_at as "detachedAt", ${BELOW_FLOOR} as "isBelowFloor",
         presence.state as presence, presence.last_seen_at as "brokerSeenAt", clock_timestamp() as now
  from project
  cross join broker
  left join broker_attachment attachment
    on attachment.project_id = project.id and attachment.broker_id = broker.id
  left join broker_presence presence on presence.broker_id = broker.id
  left join broker_dispatch_floor floor on floor.broker_id = broker.id
  cross join lateral (
    select count(*) from (
      select from broker_dispatch dispatch
      where dispatch.project_id = project.id and dispatch.seq >= $4
      limit project.max_pending
    ) dispatch
  ) queued
  cross join lateral (
    select count(*) from (
      select from broker_dispatch dispatch
      where dispatch.broker_id = broker.id and dispatch.seq >= coalesce(floor.seq, 0)
      limit $3
    ) dispatch
  ) live
  where project.id = $1 and broker.id = $2
  `,
);

/** SQL of whether a project would take a command for a broker. */
@Injectable()
export class ProjectWhyRepository {
  constructor(
    private readonly database: Database,
    private readonly inserts: InsertRepository,
  ) {}

  async read(projectId: string, brokerId: string): Promise<ProjectCircumstances | undefined> {
    const values = [projectId, brokerId, PENDING_MOST, this.inserts.lowestOf(projectId)];
    return (await this.database.run<ProjectCircumstances>(WHY, values))[0];
  }
}
