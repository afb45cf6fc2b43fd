import { Injectable } from '@nestjs/common';
import type { Scope } from '../auth/scope.js';
import type { Database } from '../database/database.js';
import { toTrailStep } from './dto/map.js';
import { firstIdAt } from './id-time.js';
import { LAST_ID } from './list.columns.js';
import type { TrailFacts } from './record.js';
import { TrailRepository, type TrailRow } from './trail.repository.js';

const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';
const HOUR_MS = 3_600_000;

export type TrailFilter = {
  /** Milliseconds since 1970, judged by the time in the id; the second one is no longer among them. */
  sinceMs: number | null;
  untilMs: number | null;
  brokerId: string | null;
};

/** Some brokers, and a time. */
export type Span = { brokerIds: readonly string[]; from: Date; until: Date };

/** The trails of many dispatches, oldest first. */
@Injectable()
export class Trails {
  constructor(private readonly repository: TrailRepository) {}

  /** @param after the id that the part before ended with; null to begin */
  async list(
    { sinceMs, untilMs, brokerId }: TrailFilter,
    after: string | null,
    limit: number,
    { sees }: Scope,
  ): Promise<TrailFacts[]> {
    const rows = await this.repository.list({
      after: after ?? (sinceMs === null ? BEFORE_ALL : firstIdAt(sinceMs)),
      before: untilMs === null ? LAST_ID : firstIdAt(untilMs),
      brokerId,
      limit,
      sees,
    });
    return rows.map(factsOf);
  }

  /**
   * Of some brokers what was alive at some time of a span; of what has ended no more than what was accepted within the hour
   * before it.
   *
   * @param after the id that the part before ended with; null to begin
   */
  async alive({ brokerIds, from, until }: Span, after: string | null, limit: number): Promise<TrailFacts[]> {
    const earliest = firstIdAt(from.getTime() - HOUR_MS);
    const range = { brokerIds, after: after ?? BEFORE_ALL, from, until, earliest, limit };
    return (await this.repository.listAlive(range)).map(factsOf);
  }

  /** Whether any that was accepted before the end of a span has not ended. */
  async hasLive({ brokerIds, until }: Span): Promise<boolean> {
    return this.repository.hasLive(brokerIds, until);
  }

  /** Of those the ones that are out, or past their deadline, and that nobody minds; at most 1,000. */
  async stranded({ brokerIds, until }: Span): Promise<{ id: string; state: string }[]> {
    return this.repository.stranded(brokerIds, until);
  }
}

/** For a program that is no hub and has a database of one. */
export function trailsOf(database: Database): Trails {
  return new Trails(new TrailRepository(database));
}

function factsOf(row: TrailRow): TrailFacts {
  return {
    id: row.id,
    seq: row.seq,
    broker: { id: row.brokerId, name: row.brokerName },
    agent: row.agentId,
    op: row.op,
    lane: row.lane,
    orderingKey: row.orderingKey,
    state: row.state,
    attempt: row.attempt,
    createdAt: row.createdAt.toISOString(),
    notBefore: row.notBefore?.toISOString() ?? null,
    deadlineAt: row.deadlineAt.toISOString(),
    endedAt: row.endedAt?.toISOString() ?? null,
    error: row.error,
    idempotencyKey: row.idempotencyKey,
    redriveOf: row.redriveOf,
    records: row.records,
    readAt: row.readAt.toISOString(),
    trail: row.trail.map(toTrailStep),
  };
}
