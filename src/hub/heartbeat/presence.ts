import type { ReportedHealth } from '../../protocol/frame.js';
import { TIMES } from '../../protocol/limits.js';
import type { PresenceState } from '../registry/presence-state.js';

/**
 * What a silence means: up to two missed beats nothing, so that one lost beat hides no broker; then `degraded`, and
 * after four `unreachable`. A sign of life lifts it straight back to what the broker says of itself.
 *
 * @param silenceMs since the last frame or pong of the broker
 */
export function presenceAfter(silenceMs: number, reported: ReportedHealth): PresenceState {
  if (silenceMs >= 4 * TIMES.heartbeatMs) return 'unreachable';
  if (silenceMs >= 2 * TIMES.heartbeatMs) return 'degraded';
  return reported;
}
