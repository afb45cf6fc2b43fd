/**
 * How long to wait before the next attempt. Waits grow by rounds, since another address may answer where one
 * did not; a good link ends the row of failures; what the hub said in Retry-After is a floor.
 */
import { TIMES } from '../../protocol/limits.js';
import type { Refusal } from '../hub-call.js';
import { fullJitterMs, slowJitterMs } from './backoff.js';
import type { Next } from './remedy.js';

export type ReconnectTimes = { baseMs: number; capMs: number; goodLinkMs: number };

export const RECONNECT_TIMES: ReconnectTimes = {
  baseMs: TIMES.reconnectBaseMs,
  capMs: TIMES.reconnectCapMs,
  goodLinkMs: TIMES.goodLinkMs,
};

export class Patience {
  #failures = 0;
  #renewals = 0;

  constructor(
    private readonly times: ReconnectTimes,
    private readonly random: () => number,
  ) {}

  /** An attempt came to nothing. */
  failed(): void {
    this.#failures += 1;
  }

  /** A welcomed link ended; a short one counts as a failure, so that a flapping link slows down too. */
  linkEnded(lastedMs: number): void {
    if (lastedMs < this.times.goodLinkMs) {
      this.#failures += 1;
      return;
    }
    this.#failures = 0;
    this.#renewals = 0;
  }

  /**
   * @param roundSize addresses that one round of attempts goes through
   * @param refusal what the hub said, if it said anything
   */
  waitMs(next: Next, roundSize: number, refusal: Refusal | null): number {
    const { baseMs, capMs } = this.times;
    const floorMs = refusal?.retryAfterMs ?? 0;
    if (next === 'slowly') return floorMs + slowJitterMs(capMs, this.random);
    if (next === 'renew') {
      this.#renewals += 1;
      if (this.#renewals > 1) return floorMs + slowJitterMs(capMs / 2, this.random);
      return floorMs + fullJitterMs(0, baseMs, capMs, this.random);
    }
    const round = Math.floor(Math.max(0, this.#failures - 1) / Math.max(1, roundSize));
    return floorMs + fullJitterMs(round, baseMs, capMs, this.random);
  }
}
