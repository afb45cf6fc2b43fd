import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { statement } from '../database/statement.js';
import type { Actor } from './actor.js';
import type { Act, AuditEntry, AuditOutcome, SubjectKind } from './audit-entry.js';

export type AuditRow = {
  id: string;
  seq: number;
  at: Date;
  act: Act;
  outcome: AuditOutcome;
  code: string | null;
  actorKind: Actor['kind'];
  actorId: string | null;
  actorName: string | null;
  credentialId: string | null;
  requestId: string | null;
  address: string | null;
  subjectKind: SubjectKind;
  subjectId: string | null;
  subjectName: string | null;
  detail: object;
};

/** null for those of any. */
export type AuditFilter = {
  act: string | null;
  actorId: string | null;
  subjectId: string | null;
  outcome: AuditOutcome | null;
};

const WRITE = statement(
  'write_audit',
  `
  insert into audit
    (id, act, outcome, code, actor_kind, actor_id, actor_name, credential_id, request_id, address, subject_kind, subject_id,
     subject_name, detail)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::jsonb)
  `,
);

const LIST = statement(
  'list_audit',
  `
  select id, seq, at, act, outcome, code, actor_kind as "actorKind", actor_id as "actorId", actor_name as "actorName",
         credential_id as "credentialId", request_id as "requestId", address, subject_kind as "subjectKind",
         subject_id as "subjectId", subject_name as "subjectName", detail
  from audit
  where ($1::uuid is null or id < $1)
    and ($2::text is null or act = $2)
    and ($3::uuid is null or actor_id = $3)
    and ($4::uuid is null or subject_id = $4)
    and ($5::text is null or outcome = $5)
  order by id desc
  limit $6
  `,
);

/** SQL of the audit: rows are written and read, and nothing else. */
@Injectable()
export class AuditRepository {
  constructor(private readonly database: Database) {}

  /** @param run the transaction of what is told of; left out where nothing was changed */
  async write(
    { id, outcome, code, ...entry }: AuditEntry & { id: string; outcome: AuditOutcome; code: string | null },
    run: Run = this.database.run,
  ): Promise<void> {
    const { act, actor, subject, detail = {} } = entry;
    const origin = [actor.origin?.requestId ?? null, actor.origin?.address ?? null];
    const who = [actor.kind, actor.id, actor.name, actor.credentialId, ...origin];
    const about = [subject.kind, subject.id, subject.name, JSON.stringify(detail)];
    await run(WRITE, [id, act, outcome, code, ...who, ...about]);
  }

  /** Newest first, those before the given one. */
  async list(before: string | null, filter: AuditFilter, limit: number): Promise<AuditRow[]> {
    const { act, actorId, subjectId, outcome } = filter;
    return this.database.runPlanned(LIST, [before, act, actorId, subjectId, outcome, limit]);
  }
}
