import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { makeDurable } from '../database/durable.js';
import { IdempotencyKeyReused } from './auth.errors.js';
import type { Idempotency } from './request-key.js';
import { RequestKeyRepository } from './request-key.repository.js';

/** Which requests came before, by the keys that their callers gave them. */
@Injectable()
export class RequestKeys {
  constructor(
    private readonly repository: RequestKeyRepository,
    private readonly database: Database,
  ) {}

  /**
   * Keeps a request's key in the caller's transaction.
   *
   * @returns the id that the same request led to before, or undefined for a new one
   * @throws IdempotencyKeyReused where the key belongs to another request
   */
  async repeatOf(run: Run, idempotency: Idempotency, subjectId: string): Promise<string | undefined> {
    const { scope, key, requestHash } = idempotency;
    if (await this.repository.keepKey(run, { scope, key, requestHash, subjectId })) return undefined;
    const winner = await this.winnerOf(idempotency, run);
    if (winner === undefined) throw new Error('an idempotency key vanished between two statements');
    return winner;
  }

  /** The id that the same request led to, if there was one. @throws IdempotencyKeyReused */
  async winnerOf(
    { scope, key, requestHash }: Idempotency,
    run = this.database.run,
  ): Promise<string | undefined> {
    const [winner] = await this.repository.findKeys([{ scope, key }], run);
    if (winner === undefined) return undefined;
    if (winner.requestHash !== requestHash) throw new IdempotencyKeyReused();
    await makeDurable(run);
    return winner.subjectId;
  }
}
