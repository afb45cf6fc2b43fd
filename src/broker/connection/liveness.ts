/**
 * Whether the hub's last word is fresh enough to act on. A link that fell silent for longer than the window is
 * not trusted again, even if bytes come out of it: on a machine that slept those are yesterday's. So `heard`
 * says whether the silence that just ended was short enough, and the caller cuts the link where it was not.
 */
import { elapsedMs, instantOf, type Clocks, type Instant } from '../clocks.js';

export class Liveness {
  #lastHeard: Instant;

  constructor(
    private readonly clocks: Clocks,
    private readonly windowMs: number,
  ) {
    this.#lastHeard = instantOf(clocks);
  }

  /**
   * A frame or a pong came.
   *
   * @returns false where the silence before it was longer than the window
   */
  heard(): boolean {
    if (!this.isFresh()) return false;
    this.#lastHeard = instantOf(this.clocks);
    return true;
  }

  isFresh(): boolean {
    return elapsedMs(this.#lastHeard, instantOf(this.clocks)) <= this.windowMs;
  }
}
