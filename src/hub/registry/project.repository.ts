import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { violatedUnique } from '../database/database.errors.js';
import { statement } from '../database/statement.js';
import { isSeen, type Scope } from '../auth/scope.js';
import type { Affected } from './attachment.repository.js';
import { ProjectNameTaken } from './project.errors.js';
import type { Version } from './version-floor.js';

export type ProjectRow = {
  id: string;
  name: string;
  floor: Version | null;
  maxPending: number;
  revision: number;
  createdBy: string;
  createdAt: Date;
  updatedAt: Date;
  archivedAt: Date | null;
};

/** What is to be changed; what is left out stays. */
export type ProjectChange = { floor?: Version | null | undefined; maxPending?: number | undefined };

const COLUMNS = `
         id, name,
         case when min_broker_major is not null
           then json_build_object('major', min_broker_major, 'minor', min_broker_minor) end as floor,
         max_pending as "maxPending", revision, created_by as "createdBy", created_at as "createdAt",
         updated_at as "updatedAt", archived_at as "archivedAt"`;

const CREATE = statement(
  'create_project',
  `
  insert into project (id, name, min_broker_major, min_broker_minor, max_pending, created_by)
  values ($1, $2, $3, $4, $5, $6)
  returning ${COLUMNS}
  `,
);

const LIST = statement(
  'list_projects',
  `
  select ${COLUMNS}
  from project
  where ($1::uuid is null or id < $1) and ($3::boolean or archived_at is null) and ${isSeen('id', '$4')}
  order by id desc
  limit $2
  `,
);

const GET = statement('get_project', `select ${COLUMNS} from project where id = $1`);

const HOLD = statement(
  'hold_project',
  `select archived_at as "archivedAt" from project where id = $1 for share`,
);

const ID_OF_NAME = statement('find_project_by_name', `select id from project where name = $1`);

const SEE = statement('see_project', `select id from project where id = $1 and ${isSeen('id', '$2')}`);

const SEE_NAMED = statement(
  'see_project_by_name',
  `select id from project where name = $1 and ${isSeen('id', '$2')}`,
);

// Judged on the row as it is under its lock: of two changes that race, the second sees what the first has left. No
// floor compares as lower than any; taking a floor away compares as unknown, and is refused.
const UPDATE = statement(
  'update_project',
  `
  update project
  set min_broker_major = case when $3::boolean then $4::integer else min_broker_major end,
      min_broker_minor = case when $3::boolean then $5::integer else min_broker_minor end,
      max_pending = coalesce($6::integer, max_pending),
      revision = revision + 1,
      updated_at = now()
  where id = $1
    and archived_at is null
    and ($2::integer is null or revision = $2)
    and (
      not $3::boolean
      or min_broker_major is null
      or ($4::integer, $5::integer) >= (min_broker_major, min_broker_minor)
    )
  returning ${COLUMNS}
  `,
);

// In a statement of its own, after the project is locked: what was attached until then is seen by it.
const DETACH_ALL = statement(
  'detach_brokers_of_project',
  `
  with detached as (
    update broker_attachment
    set state = 'offline', detached_at = now(), changed_at = now()
    where project_id = $1 and detached_at is null
    returning broker_id
  )
  select detached.broker_id as "brokerId", connection.replica_id as owner
  from detached
  left join broker_connection connection on connection.broker_id = detached.broker_id
  `,
);

const ARCHIVE = statement(
  'archive_project',
  `
  update project
  set archived_at = now(), revision = revision + 1, updated_at = now()
  where id = $1 and archived_at is null
  returning id
  `,
);

/** SQL of projects. */
@Injectable()
export class ProjectRepository {
  constructor(private readonly database: Database) {}

  /** @throws ProjectNameTaken */
  async create(
    run: Run,
    project: { id: string; name: string; floor: Version | null; maxPending: number; createdBy: string },
  ): Promise<ProjectRow> {
    const { id, name, floor, maxPending, createdBy } = project;
    const values = [id, name, floor?.major ?? null, floor?.minor ?? null, maxPending, createdBy];
    try {
      const [row] = await run<ProjectRow>(CREATE, values);
      if (row === undefined) throw new Error('an insert gave no row');
      return row;
    } catch (error) {
      if (violatedUnique(error) === 'project_name_is_unique') throw new ProjectNameTaken();
      throw error;
    }
  }

  /** Newest first, those made before the given one. */
  async list(
    before: string | null,
    limit: number,
    withArchived: boolean,
    sees: Scope['sees'],
  ): Promise<ProjectRow[]> {
    return this.database.runPlanned(LIST, [before, limit, withArchived, sees]);
  }

  async get(id: string): Promise<ProjectRow | undefined> {
    return (await this.database.run<ProjectRow>(GET, [id]))[0];
  }

  /** Until the end of the transaction it is not changed. */
  async hold(run: Run, id: string): Promise<Pick<ProjectRow, 'archivedAt'> | undefined> {
    return (await run<Pick<ProjectRow, 'archivedAt'>>(HOLD, [id]))[0];
  }

  /** The id of a project, if it is among those that are seen. */
  async see(idOrName: { id: string } | { name: string }, sees: Scope['sees']): Promise<string | undefined> {
    const [by, value] = 'id' in idOrName ? [SEE, idOrName.id] : [SEE_NAMED, idOrName.name];
    return (await this.database.run<{ id: string }>(by, [value, sees]))[0]?.id;
  }

  async idOfName(name: string): Promise<string | undefined> {
    return (await this.database.run<{ id: string }>(ID_OF_NAME, [name]))[0]?.id;
  }

  /** @returns undefined where nothing was changed: it is not there, archived, of another revision, or the floor would fall */
  async update(
    run: Run,
    id: string,
    revision: number | null,
    { floor, maxPending }: ProjectChange,
  ): Promise<ProjectRow | undefined> {
    const numbers = [floor?.major ?? null, floor?.minor ?? null];
    const values = [id, revision, floor !== undefined, ...numbers, maxPending ?? null];
    return (await run<ProjectRow>(UPDATE, values))[0];
  }

  /** Archives it, and lets its brokers go. @returns the brokers; undefined where it was archived already */
  async archive(run: Run, id: string): Promise<Affected[] | undefined> {
    const archived = await run(ARCHIVE, [id]);
    return archived.length === 0 ? undefined : run<Affected>(DETACH_ALL, [id]);
  }
}
