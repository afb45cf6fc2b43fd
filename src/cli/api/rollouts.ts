import type { RolloutDto, RolloutPageDto } from '../../hub/drain/dto/rollout.dto.js';
import type { Surroundings } from '../surroundings.js';
import type { Client } from './client.js';

const LOOK_MS = 500;
const PAGE = 50;

export async function readRollout(hub: Client, id: string): Promise<RolloutDto> {
  return hub.ask<RolloutDto>({ method: 'GET', path: `/rollouts/${encodeURIComponent(id)}` });
}

/** undefined where no replica has drained */
export async function lastRollout(hub: Client): Promise<RolloutDto | undefined> {
  return (await pageOf(hub, 1)).items[0];
}

/** Every drain that began then or later, oldest first. */
export async function rolloutsSince(hub: Client, sinceMs: number): Promise<RolloutDto[]> {
  const found: RolloutDto[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await pageOf(hub, PAGE, cursor);
    const since = page.items.filter(({ begunAt }) => Date.parse(begunAt) >= sinceMs);
    found.push(...since);
    // A page in which some are older may still be followed by one that is not: replicas order them by their own clocks.
    if (since.length === 0 || page.nextCursor === null) return found.reverse();
    cursor = page.nextCursor;
  }
}

/**
 * Looks until there are enough drains and each of them was judged, or the time is over.
 *
 * @param look what there is
 * @returns what there was at the last look
 */
export async function whenJudged(
  look: () => Promise<RolloutDto[]>,
  clock: Surroundings['clock'],
  { atLeast = 0, withinMs }: { atLeast?: number | undefined; withinMs: number },
): Promise<RolloutDto[]> {
  const untilMs = clock.nowMs() + withinMs;
  for (;;) {
    const rollouts = await look();
    const isDone = rollouts.length >= atLeast && rollouts.every(({ report }) => report !== null);
    if (isDone || clock.nowMs() >= untilMs) return rollouts;
    await clock.pause(LOOK_MS);
  }
}

async function pageOf(hub: Client, limit: number, cursor?: string): Promise<RolloutPageDto> {
  return hub.ask<RolloutPageDto>({ method: 'GET', path: '/rollouts', query: { limit, cursor } });
}
