/**
 * Keeps a second link ready at another replica than the one that owns the broker.
 *
 *   resting --a link serves--> dialling --held--> ready --taken--> (it is the broker's link now)
 *      ^                          |                 |
 *      +--------refused, ended----+-----------------+
 *
 * It owns nothing, so that losing it costs nothing: it is looked for again, with backoff and jitter. Where the replica that
 * has it becomes the owner, another is looked for.
 *
 * Behind a balancer all replicas have one address, and only the hub knows whether the second link came to another than the
 * first: it ends one that did not, and the next try may come elsewhere.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { slowJitterMs, fullJitterMs } from './backoff.js';
import type { Link } from './link.js';
import type { StandbyLink } from './standby-link.js';

/** What the keeper needs to know: where a link may stand by beside one at an address, and how it is opened there. */
type Way = {
  /** The address itself is among them only where it is all that is known. */
  besides: (url: string) => readonly string[];
  open: (url: string, signal: AbortSignal) => Promise<StandbyLink>;
};

type Times = { baseMs: number; capMs: number };

/** A standby that was there for so long begins the backoff anew. */
const GOOD_MS = 30_000;

export class StandbyKeeper {
  #owner: string | undefined;
  #held: StandbyLink | undefined;
  #failures = 0;
  readonly #over = new AbortController();
  #running: Promise<void> | undefined;
  #wake: () => void = () => undefined;

  constructor(
    private readonly way: Way,
    private readonly times: Times,
    private readonly random: () => number,
    private readonly log: Logger,
  ) {}

  /** From now on this is the broker's link, and the other one is to be elsewhere. */
  beside({ url }: Pick<Link, 'url'>): void {
    this.#owner = url;
    if (this.#held !== undefined && !this.way.besides(url).includes(this.#held.url)) {
      this.#held.goodbye('the replica owns the broker now');
    }
    this.#running ??= this.#run();
    this.#wake();
  }

  /** The link that is ready, if there is one, to be promoted; it is not kept any more. */
  take(): StandbyLink | undefined {
    const held = this.#held;
    this.#held = undefined;
    return held?.isOpen === true ? held : undefined;
  }

  async stop(): Promise<void> {
    this.#over.abort();
    // One that is being promoted ends later than this, if at all: it is not waited for here.
    this.#wake();
    this.#held?.goodbye('the broker stops');
    await this.#held?.ended;
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#over;
    for (let tries = 0; !signal.aborted; tries += 1) {
      const urls = this.way.besides(this.#owner ?? '');
      const url = urls[tries % Math.max(1, urls.length)];
      if (url !== undefined && (await this.#hold(url))) this.#failures = 0;
      else this.#failures += 1;
      if (signal.aborted) return;
      await this.#rest();
    }
  }

  /** @returns whether it was there for long */
  async #hold(url: string): Promise<boolean> {
    const { signal } = this.#over;
    try {
      const link = await this.way.open(url, signal);
      // Another link may have been welcomed at this very replica in the meantime.
      if (signal.aborted || !this.way.besides(this.#owner ?? '').includes(url)) {
        link.goodbye('no longer needed');
        await link.ended;
        return false;
      }
      this.#held = link;
      this.log.info({ url }, 'a standby link is ready');
      const left = new Promise<void>((resolve) => (this.#wake = resolve));
      const end = await Promise.race([link.ended, this.#until(() => this.#held !== link, left)]);
      if (end === undefined) return true;
      this.#held = undefined;
      this.log.debug({ url, ...end }, 'the standby link ended');
      return end.lastedMs > GOOD_MS;
    } catch (error) {
      this.log.debug(
        { url, reason: error instanceof Error ? error.message : String(error) },
        'no standby link',
      );
      return false;
    }
  }

  /** Resolves at a wake that finds the condition met; another link is asked for then. */
  async #until(isMet: () => boolean, woken: Promise<void>): Promise<undefined> {
    for (let next = woken; ; next = new Promise<void>((resolve) => (this.#wake = resolve))) {
      await next;
      if (isMet() || this.#over.signal.aborted) return undefined;
    }
  }

  /**
   * Waits grow by rounds of all addresses, since those of the dead stand among them for a while; slow in a network in which
   * nothing but the owner is reached.
   */
  async #rest(): Promise<void> {
    const { baseMs, capMs } = this.times;
    const addresses = Math.max(1, this.way.besides(this.#owner ?? '').length);
    const round = Math.floor(Math.max(0, this.#failures - 1) / addresses);
    const ms = round > 5 ? slowJitterMs(capMs, this.random) : fullJitterMs(round, baseMs, capMs, this.random);
    const woken = new Promise<void>((resolve) => (this.#wake = resolve));
    const rested = wait(ms, undefined, { signal: this.#over.signal }).catch(() => undefined);
    await Promise.race([rested, this.#failures > 0 ? rested : woken]);
  }
}
