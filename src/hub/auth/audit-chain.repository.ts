import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { statement } from '../database/statement.js';
import type { ChainedRow } from './audit-chain.js';

export type LinkRow = {
  position: number;
  rowHash: Buffer;
  hash: Buffer;
  auditId: string;
  row: ChainedRow | null;
};
export type UnlinkedRow = { auditId: string; isAwaited: boolean; row: ChainedRow | null };
export type NewLink = { position: number; auditId: string; rowHash: Buffer; hash: Buffer };

const IS_ANY_UNLINKED = statement(
  'is_any_audit_unlinked',
  `select exists (select from audit_unlinked) as "isAny"`,
);

const TRY_DUTY = statement(
  'try_audit_chain',
  `select pg_try_advisory_xact_lock(hashtextextended('audit chain', 3)) as mine`,
);

const HEAD = statement(
  'head_of_audit_chain',
  `select position, hash from audit_link order by position desc limit 1`,
);

const UNLINKED = statement(
  'find_audit_that_awaits_its_link',
  `
  select id, seq, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, act, outcome, code,
         json_build_object('kind', actor_kind, 'id', actor_id, 'name', actor_name, 'credentialId', credential_id) as actor,
         json_build_object('kind', subject_kind, 'id', subject_id, 'name', subject_name) as subject,
         address, request_id as "requestId", detail
  from audit_unlinked
  join audit on audit.id = audit_unlinked.audit_id
  order by seq
  limit $1
  `,
);

// A position that is taken, or a row that is linked, fails the whole: there is one chain.
const APPEND = statement(
  'append_to_audit_chain',
  `
  with linked as (
    insert into audit_link (position, audit_id, row_hash, hash)
    select position, audit_id, row_hash, hash
    from unnest($1::bigint[], $2::uuid[], $3::bytea[], $4::bytea[]) as fresh (position, audit_id, row_hash, hash)
    returning audit_id
  )
  delete from audit_unlinked
  using linked
  where audit_unlinked.audit_id = linked.audit_id
  `,
);

const EXPORT = statement(
  'export_audit_chain',
  `
  select link.position, link.row_hash as "rowHash", link.hash, link.audit_id as "auditId",
         case when audit.id is not null then json_build_object(
           'id', audit.id, 'seq', audit.seq,
           'at', to_char(audit.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'act', audit.act, 'outcome', audit.outcome, 'code', audit.code,
           'actor', json_build_object('kind', audit.actor_kind, 'id', audit.actor_id, 'name', audit.actor_name,
                                      'credentialId', audit.credential_id),
           'subject', json_build_object('kind', audit.subject_kind, 'id', audit.subject_id, 'name', audit.subject_name),
           'address', audit.address, 'requestId', audit.request_id, 'detail', audit.detail) end as row
  from audit_link link
  left join audit on audit.id = link.audit_id
  where link.position > $1
  order by link.position
  limit $2
  `,
);

// What waits for its link, and what nobody ever queued; of what waits, also that which is gone.
const EXPORT_UNLINKED = statement(
  'export_audit_without_link',
  `
  select coalesce(audit.id, awaiting.audit_id) as "auditId", awaiting.audit_id is not null as "isAwaited",
         case when audit.id is not null then json_build_object(
           'id', audit.id, 'seq', audit.seq,
           'at', to_char(audit.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           'act', audit.act, 'outcome', audit.outcome, 'code', audit.code,
           'actor', json_build_object('kind', audit.actor_kind, 'id', audit.actor_id, 'name', audit.actor_name,
                                      'credentialId', audit.credential_id),
           'subject', json_build_object('kind', audit.subject_kind, 'id', audit.subject_id, 'name', audit.subject_name),
           'address', audit.address, 'requestId', audit.request_id, 'detail', audit.detail) end as row
  from audit
  full join audit_unlinked awaiting on awaiting.audit_id = audit.id
  where not exists (select from audit_link link where link.audit_id = coalesce(audit.id, awaiting.audit_id))
  order by awaiting.audit_id is not null, audit.seq
  limit $1
  `,
);

/** SQL of the chain over the audit. */
@Injectable()
export class AuditChainRepository {
  constructor(private readonly database: Database) {}

  /** Whether there is something to link at all; most turns end here. */
  async isAnyUnlinked(): Promise<boolean> {
    return (await this.database.run<{ isAny: boolean }>(IS_ANY_UNLINKED))[0]?.isAny === true;
  }

  /** Does the work unless another replica is at it: one transaction, whose lock it is. */
  async onDuty<R>(work: (run: Run) => Promise<R>): Promise<R | undefined> {
    return this.database.transaction(async (run) => {
      const [duty] = await run<{ mine: boolean }>(TRY_DUTY);
      return duty?.mine === true ? work(run) : undefined;
    });
  }

  async head(run: Run): Promise<{ position: number; hash: Buffer } | undefined> {
    return (await run<{ position: number; hash: Buffer }>(HEAD))[0];
  }

  /** In the order in which they were written, as far as they are committed. */
  async unlinked(run: Run, most: number): Promise<ChainedRow[]> {
    return run<ChainedRow>(UNLINKED, [most]);
  }

  async append(run: Run, links: readonly NewLink[]): Promise<void> {
    const column = <K extends keyof NewLink>(name: K) => links.map((link) => link[name]);
    await run(APPEND, [column('position'), column('auditId'), column('rowHash'), column('hash')]);
  }

  /** The links behind a position, with their rows; null for one that is gone. */
  async export(after: number, most: number): Promise<LinkRow[]> {
    return this.database.run<LinkRow>(EXPORT, [after, most]);
  }

  /** Rows without a link, those first that nothing awaits. */
  async exportUnlinked(most: number): Promise<UnlinkedRow[]> {
    return this.database.run<UnlinkedRow>(EXPORT_UNLINKED, [most]);
  }
}
