import type { TrailFactsDto, TrailListDto } from '../../hub/dispatch/dto/trail.dto.js';
import type { Client } from './client.js';

const PAGE = 500;
/** A page of long trails is some megabytes. */
const WITHIN_S = 60;

export type TrailQuery = { sinceMs?: number; untilMs?: number; broker?: string };

/** Every trail that the hub has, oldest first. @throws as Client.ask */
export async function* readTrails(
  hub: Client,
  { sinceMs, untilMs, broker }: TrailQuery,
): AsyncGenerator<TrailFactsDto> {
  const query = { since: timeOf(sinceMs), until: timeOf(untilMs), broker, limit: PAGE };
  for (let cursor: string | undefined; ;) {
    const page: TrailListDto = await hub.ask({
      method: 'GET',
      path: '/trails',
      query: { ...query, cursor },
      answerWithinS: WITHIN_S,
    });
    yield* page.items;
    if (page.nextCursor === null) return;
    cursor = page.nextCursor;
  }
}

function timeOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
