import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Database, type Run } from '../database/database.js';
import { makeDurable } from '../database/durable.js';
import { Group } from '../lifecycle/group.js';
import { IdempotencyKeyReused } from './auth.errors.js';
import type { Idempotency } from './request-key.js';
import { RequestKeyRepository, type KeptKey } from './request-key.repository.js';

const FIND_MOST = 1_000;

/** Which requests came before, by the keys that their callers gave them. */
@Injectable()
export class RequestKeys {
  /** A batch that is repeated asks for as many keys as it has commands. */
  private readonly finding = new Group<Idempotency, KeptKey | undefined>(
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
    return (await this.keep(run, idempotency, subjectId))?.subjectId;
  }

  /**
   * Does in the caller's transaction what a request asks for, unless the same request came before, and keeps its answer. Of
   * two at the same moment one waits for the other's transaction.
   *
   * @returns what the same request was answered first
   * @throws IdempotencyKeyReused where the key belongs to another request, and what `work` throws: the key is not used up then
   */
  async once<T extends object>(
    run: Run,
    idempotency: Idempotency | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    if (idempotency === undefined) return work();
    const earlier = await this.keep(run, idempotency, uuidv7());
    if (earlier !== undefined) return answerIn<T>(earlier);
    const answer = await work();
    await this.repository.keepAnswer(run, idempotency, answer);
    return answer;
  }

  /** The id that the same request led to, if there was one. @throws IdempotencyKeyReused */
  async winnerOf(idempotency: Idempotency): Promise<string | undefined> {
    return (await this.finding.add(idempotency))?.subjectId;
  }

  /** As `winnerOf`, for many, in the caller's transaction. */
  async winnersOf(run: Run, asked: readonly Idempotency[]): Promise<(string | undefined | Error)[]> {
    const found = asked.length === 0 ? [] : await this.find(asked, run);
    return found.map((kept) => (kept instanceof Error ? kept : kept?.subjectId));
  }

  /** What the same request was answered, where that was done `once`. @throws IdempotencyKeyReused */
  async answerTo<T extends object>(idempotency: Idempotency): Promise<T | undefined> {
    const earlier = await this.finding.add(idempotency);
    return earlier === undefined ? undefined : answerIn<T>(earlier);
  }

  private async keep(run: Run, idempotency: Idempotency, subjectId: string): Promise<KeptKey | undefined> {
    const { scope, key, requestHash } = idempotency;
    if (await this.repository.keepKey(run, { scope, key, requestHash, subjectId })) return undefined;
    const [winner] = await this.find([idempotency], run);
    if (winner === undefined) throw new Error('an idempotency key vanished between two statements');
    if (winner instanceof Error) throw winner;
    return winner;
  }

  private async find(asked: readonly Idempotency[], run: Run): Promise<(KeptKey | undefined | Error)[]> {
    const kept = await this.repository.findKeys(run, asked);
    if (kept.length > 0) await makeDurable(run);
    const winners = new Map(kept.map((winner) => [nameOf(winner), winner]));
    return asked.map((idempotency) => {
      const winner = winners.get(nameOf(idempotency));
      const isReused = winner !== undefined && winner.requestHash !== idempotency.requestHash;
      return isReused ? new IdempotencyKeyReused() : winner;
    });
  }
}

function answerIn<T extends object>({ answer }: KeptKey): T {
  if (answer === null) throw new Error('an idempotency key was kept without the answer of its request');
  return answer as T;
}

function nameOf({ scope, key }: { scope: string; key: string }): string {
  return JSON.stringify([scope, key]);
}
