import { Injectable } from '@nestjs/common';
import type { Run } from '../database/database.js';
import { rowsOf } from '../database/rows-of.js';
import { statement } from '../database/statement.js';

type NewKey = { scope: string; key: string; requestHash: string; subjectId: string };

/** A key that was given before; `answer` is null where the request made one thing, which answers for itself. */
export type KeptKey = NewKey & { answer: object | null };

const FIND_KEYS = statement(
  'find_idempotency_keys',
  `
  select kept.scope, kept.key, kept.request_hash as "requestHash", kept.subject_id as "subjectId",
         kept.answer
  from (${rowsOf({ scope: '$1::text[]', key: '$2::text[]' })}) asked
  join idempotency_key kept on kept.scope = asked.scope and kept.key = asked.key
  `,
);

const KEEP_KEY = statement(
  'keep_idempotency_key',
  `
  insert into idempotency_key (scope, key, request_hash, subject_id)
  values ($1, $2, $3, $4)
  on conflict do nothing
  returning subject_id
  `,
);

const KEEP_ANSWER = statement(
  'keep_answer_of_key',
  `update idempotency_key set answer = $3::jsonb where scope = $1 and key = $2`,
);

/** SQL of the keys by which requests may be repeated. */
@Injectable()
export class RequestKeyRepository {
  /** Must be a statement of its own: the winner of a race is visible only to a snapshot taken after it. */
  async findKeys(run: Run, asked: readonly { scope: string; key: string }[]): Promise<KeptKey[]> {
    return run<KeptKey>(FIND_KEYS, [asked.map(({ scope }) => scope), asked.map(({ key }) => key)]);
  }

  /** @returns false where the key was taken */
  async keepKey(run: Run, kept: NewKey): Promise<boolean> {
    return (await run(KEEP_KEY, [kept.scope, kept.key, kept.requestHash, kept.subjectId])).length > 0;
  }

  async keepAnswer(run: Run, { scope, key }: { scope: string; key: string }, answer: object): Promise<void> {
    await run(KEEP_ANSWER, [scope, key, JSON.stringify(answer)]);
  }
}
