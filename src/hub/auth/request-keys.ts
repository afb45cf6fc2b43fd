import { Injectable } from '@nestjs/common';
import { Database, type Run } from '../database/database.js';
import { makeDurable } from '../database/durable.js';
import { Group } from '../lifecycle/group.js';
import { IdempotencyKeyReused } from './auth.errors.js';
import type { Idempotency } from './request-key.js';
import { RequestKeyRepository } from './request-key.repository.js';

const FIND_MOST = 1_000;

/** Which requests came before, by the keys that their callers gave them. */
@Injectable()
export class RequestKeys {
  /** A batch that is repeated asks for as many keys as it has commands. */
  private readonly finding = new Group<Idempotency, string | undefined>(
    (asked) => this.find(asked, this.database.run),
    FIND_MOST,
  );

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
    const [winner] = await this.find([idempotency], run);
    if (winner === undefined) throw new Error('an idempotency key vanished between two statements');
    if (winner instanceof Error) throw winner;
    return winner;
  }

  /** The id that the same request led to, if there was one. @throws IdempotencyKeyReused */
  async winnerOf(idempotency: Idempotency): Promise<string | undefined> {
    return this.finding.add(idempotency);
  }

  private async find(asked: readonly Idempotency[], run: Run): Promise<(string | undefined | Error)[]> {
    const kept = await this.repository.findKeys(run, asked);
    if (kept.length > 0) await makeDurable(run);
    const winners = new Map(kept.map((winner) => [nameOf(winner), winner]));
    return asked.map((idempotency) => {
      const winner = winners.get(nameOf(idempotency));
      const isReused = winner !== undefined && winner.requestHash !== idempotency.requestHash;
      return isReused ? new IdempotencyKeyReused() : winner?.subjectId;
    });
  }
}

function nameOf({ scope, key }: { scope: string; key: string }): string {
  return JSON.stringify([scope, key]);
}
