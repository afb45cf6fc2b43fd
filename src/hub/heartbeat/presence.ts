import type { ReportedHealth } from '../../protocol/frame.js';
import { TIMES } from '../../protocol/limits.js';
import type { PresenceState } from '../registry/presence-state.js';

const DEGRADED_MS = 2 * TIMES.heartbeatMs;
const UNREACHABLE_MS = 4 * TIMES.heartbeatMs;

/** From well to gone. */
const SEVERITY: Record<PresenceState, number> = { online: 0, degraded: 1, unreachable: 2, offline: 3 };

/** What the replica that holds a broker's link knows of it. */
export type Watched = {
  /** Milliseconds since the last frame or pong of the broker. */
  silenceMs: number;
  /** Milliseconds that this replica has been looking without a gap: what it did not look for, it has not missed. */
  watchedMs: number;
  /** What the broker last said of itself. */
  health: ReportedHealth;
  /** What is written of it; undefined where nothing is yet. */
  written: PresenceState | undefined;
};

/**
 * What a silence means: up to two missed beats nothing, so that one lost beat hides no broker; then `degraded`, and
 * after four `unreachable`. A sign of life lifts it straight back to what the broker says of itself, and nothing else
 * does.
 */
export function presenceOf({ silenceMs, watchedMs, health, written = health }: Watched): PresenceState {
  if (silenceMs < DEGRADED_MS) return health;
  const deserved = presenceAfter(Math.min(silenceMs, watchedMs), health);
  return SEVERITY[deserved] > SEVERITY[written] ? deserved : written;
}

function presenceAfter(silenceMs: number, health: ReportedHealth): PresenceState {
  if (silenceMs >= UNREACHABLE_MS) return 'unreachable';
  return silenceMs >= DEGRADED_MS ? 'degraded' : health;
}
