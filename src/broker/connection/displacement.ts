/**
 * Whether it was a copy of this broker that took its link. The same close code also comes when the hub counts
 * this broker's own next attempt as the newer one, or when a replica that was paused finds it owns nothing any
 * more; stopping then would take a fleet down. A copy is certain where the hub says so, or where freshly
 * welcomed links are displaced again and again with no attempt of this broker's own between.
 */
import { DISPLACED_BY } from '../../protocol/close-code.js';
import type { LinkEnd } from './link.js';

const SHORT_DISPLACEMENTS = 5;

export class DisplacementJudge {
  #greetingsSinceWelcome = 0;
  #shortOnes = 0;

  constructor(private readonly goodLinkMs: number) {}

  /** A hello is about to be sent. */
  greeting(): void {
    this.#greetingsSinceWelcome += 1;
  }

  welcomed(): void {
    this.#greetingsSinceWelcome = 0;
  }

  /** The newest link was closed as displaced. */
  isByAnother({ reason, lastedMs }: LinkEnd): boolean {
    if (this.#greetingsSinceWelcome > 0) return false;
    if (reason === DISPLACED_BY.another) return true;
    this.#shortOnes = lastedMs < this.goodLinkMs ? this.#shortOnes + 1 : 0;
    return this.#shortOnes >= SHORT_DISPLACEMENTS;
  }
}
