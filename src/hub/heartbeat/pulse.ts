import type { FrameOf, ReportedHealth } from '../../protocol/frame.js';
import type { Link } from '../registry/link.js';
import type { PresenceState } from '../registry/presence-state.js';
import type { Sighting } from './presence.repository.js';

/** What is known of the broker on one link, and what of that is written. */
export class Pulse {
  health: ReportedHealth;
  load: number | null = null;
  running = 0;
  /** Last known to be in the row; undefined where nothing is, or somebody else may have written. */
  written: PresenceState | undefined;
  /** What is to be written next. */
  wanted: PresenceState;
  isQueued = false;

  /** @param slot the turn in which its quiet beats are written */
  constructor(
    readonly link: Link,
    readonly slot: number,
  ) {
    this.health = link.facts.health;
    this.wanted = this.health;
  }

  take({ health, load, running }: FrameOf<'heartbeat'>): void {
    this.health = health;
    this.load = load;
    this.running = running;
  }

  /** As it is now; silence goes on while a statement waits for its turn. */
  sighting(state: PresenceState): Sighting {
    const { brokerId, epoch, silenceMs } = this.link;
    return { brokerId, epoch, state, load: this.load, running: this.running, silenceMs };
  }
}
