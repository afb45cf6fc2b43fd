import type { TrailDto } from '../../src/hub/dispatch/dto/dispatch.dto.js';

/**
 * What happened when, for whoever draws it. Times are RFC 3339; everything runs on one machine, so those of the
 * database and those of the demo are of one clock. Replicas are called by their names.
 */
export type Timeline = {
  replicas: { name: string; readyAt: string; killedAt: string | null }[];
  /** Of the broker's connection, one for each epoch that was seen. */
  ownership: { replica: string; epoch: number; since: string }[];
  /** Launches of the agent, each when its own line in the witness file was seen. */
  runs: { seenAt: string }[];
  dispatches: { id: string; op: string; trail: TimelineStep[] }[];
};

export type TimelineStep = { state: string; at: string; replica: string | null; attempt: number | null };

/** A trail with the names of replicas in place of their ids. */
export function stepsOf(trail: TrailDto['trail'], nameOf: (id: string) => string): TimelineStep[] {
  return trail.map(({ state, at, replica = null, attempt = null }) => ({
    state,
    at,
    replica: replica === null ? null : nameOf(replica),
    attempt,
  }));
}
