/**
 * Looks for a WebSocket while polls serve: rests, tries, and rests longer after each try that came to nothing.
 *
 * The hub counts such a WebSocket as the newer link before its welcome has arrived here, and the polls may end because
 * of it meanwhile. So whoever loses the polls asks first what came of the try that was under way.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { messageOf } from './greeting.js';
import type { Link } from './link.js';

const FIRST_MS = 60_000;
/** Tries become as rare as this many times the first rest: a quarter of an hour. */
const RAREST = 15;

export class SocketSeeker {
  /** The first WebSocket that was welcomed; pending for ever where none is. */
  readonly found: Promise<Link>;
  #underway: Promise<Link | undefined> = Promise.resolve(undefined);
  readonly #resting = new AbortController();
  readonly #trying = new AbortController();

  /**
   * @param open resolves with a welcomed link
   * @param firstMs from now to the first try
   */
  constructor(
    private readonly open: (signal: AbortSignal) => Promise<Link>,
    private readonly firstMs: number = FIRST_MS,
    private readonly random: () => number,
    private readonly log: Logger,
  ) {
    this.found = new Promise((found) => void this.#seek(found));
  }

  /** Tries no more. @returns the link of the try that is under way, if it is welcomed within so long */
  async last(withinMs: number): Promise<Link | undefined> {
    this.#resting.abort();
    const done = new AbortController();
    const late = wait(withinMs, undefined, { signal: done.signal }).catch(() => undefined);
    try {
      return await Promise.race([this.#underway, late]);
    } finally {
      done.abort();
    }
  }

  /** Tries no more, and closes what comes of the try that is under way. */
  abandon(): void {
    this.#resting.abort();
    this.#trying.abort();
    void this.#underway.then((link) => link?.goodbye('no longer needed'));
  }

  async #seek(found: (link: Link) => void): Promise<void> {
    const { signal } = this.#resting;
    for (let tries = 0; ; tries += 1) {
      const restMs = this.firstMs * Math.min(RAREST, 2 ** Math.min(tries, 10));
      await wait(restMs / 2 + (restMs / 2) * this.random(), undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      this.#underway = this.#try();
      const link = await this.#underway;
      if (link !== undefined) {
        found(link);
        return;
      }
    }
  }

  async #try(): Promise<Link | undefined> {
    try {
      return await this.open(this.#trying.signal);
    } catch (error) {
      this.log.debug({ reason: messageOf(error) }, 'no WebSocket opens yet');
      return undefined;
    }
  }
}
