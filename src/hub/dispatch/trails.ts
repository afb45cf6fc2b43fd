import { Injectable } from '@nestjs/common';
import type { Scope } from '../auth/scope.js';
import type { Database } from '../database/database.js';
import { toTrailStep } from './dto/map.js';
import { firstIdAt } from './id-time.js';
import type { TrailFacts } from './record.js';
import { TrailRepository, type TrailRow } from './trail.repository.js';

const BEFORE_ALL = '00000000-0000-0000-0000-000000000000';
const AFTER_ALL = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

export type TrailFilter = {
  /** Milliseconds since 1970, judged by the time in the id; the second one is no longer among them. */
  sinceMs: number | null;
  untilMs: number | null;
  brokerId: string | null;
};

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
      before: untilMs === null ? AFTER_ALL : firstIdAt(untilMs),
      brokerId,
      limit,
      sees,
    });
    return rows.map(factsOf);
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
    deadlineAt: row.deadlineAt.toISOString(),
    endedAt: row.endedAt?.toISOString() ?? null,
    error: row.error,
    idempotencyKey: row.idempotencyKey,
    records: row.records,
    readAt: row.readAt.toISOString(),
    trail: row.trail.map(toTrailStep),
  };
}
