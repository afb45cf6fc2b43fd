/**
 * Keeps one control channel to the hub for as long as the broker lives.
 *
 *   dialling <---------------wait---------------+
 *      | welcomed                               | ended
 *      v                                        |
 *    linked --going_away--> leaving (slot, then dials while the old link still serves)
 *      |                        | welcomed: goodbye to the old link
 *      +---displaced by a copy---> over        stop ---> over
 *
 * Never gives up, whatever the hub says; the one exception is a copy of this broker that took its place, since
 * two of them would displace each other for ever. Every wait can be interrupted by `stop`.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { GoingAway, Hello } from '../../protocol/frame.js';
import type { Clocks } from '../clocks.js';
import type { Credential } from '../credential.js';
import { HubRefused } from '../hub-call.js';
import type { Addresses } from './addresses.js';
import { DisplacementJudge } from './displacement.js';
import { LinkFailed, openLink, type Link, type LinkEnd, type LinkTimes } from './link.js';
import { Patience, type ReconnectTimes } from './patience.js';
import { remedyOfClose, remedyOfRefusal, type Next, type Remedy } from './remedy.js';

/** Why a broker is over: it was asked to stop, or a copy of it took its place. */
export type ExitReason = 'stopped' | 'displaced';

/** A timer that is set for longer fires at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** What the connector needs from the broker it connects. */
type Attendant = {
  hello(): Hello;
  /** A link was welcomed and is now the newest; must not block. */
  attend(link: Link): void;
};

type Turn = { left: GoingAway } | { ended: LinkEnd };

export class Connector {
  /** Rejects for a fault of this program's own. */
  readonly done: Promise<ExitReason>;
  #newest: Link | undefined;
  #newestEpoch = 0;
  readonly #open = new Set<Link>();
  readonly #stopping = new AbortController();
  readonly #patience: Patience;
  readonly #displacement: DisplacementJudge;
  #leave: ((notice: GoingAway) => void) | undefined;
  #running: Promise<ExitReason> | undefined;
  #finish: (reason: ExitReason | Promise<ExitReason>) => void = () => undefined;

  constructor(
    private readonly addresses: Addresses,
    private readonly credential: Credential,
    private readonly attendant: Attendant,
    private readonly clocks: Clocks,
    private readonly times: ReconnectTimes & LinkTimes,
    random: () => number,
    private readonly log: Logger,
  ) {
    this.#patience = new Patience(times, random);
    this.#displacement = new DisplacementJudge(times.goodLinkMs);
    this.done = new Promise((resolve) => (this.#finish = resolve));
  }

  /** The link whose dispatches count; it may have ended. */
  get newest(): Link | undefined {
    return this.#newest;
  }

  start(lastEpoch: number): void {
    this.#newestEpoch = lastEpoch;
    const running = this.#run();
    this.#running = running;
    running.catch((error: unknown) => this.log.fatal({ err: error }, 'the connection loop failed'));
    this.#finish(running);
  }

  /** Says goodbye on every link; resolves when all have ended. Idempotent, and safe if never started. */
  async stop(reason: string): Promise<void> {
    this.#stopping.abort();
    for (const link of this.#open) link.goodbye(reason);
    await this.#running?.catch(() => undefined);
    // A link that was welcomed in this very moment is among them only now.
    for (const link of this.#open) link.goodbye(reason);
    await Promise.all([...this.#open].map((link) => link.ended));
    this.#finish('stopped');
  }

  /** The replica behind this link leaves; only the newest link's word moves the broker. */
  goingAway(link: Link, notice: GoingAway): void {
    void this.addresses.learn(notice.alternatives).catch((error: unknown) => {
      this.log.warn({ err: error }, 'learned addresses could not be kept');
    });
    if (link === this.#newest) this.#leave?.(notice);
  }

  async #run(): Promise<ExitReason> {
    let leaving: Link | undefined;
    let lost: string | null = null;
    for (;;) {
      const link = await this.#dialUntilWelcomed(leaving, lost);
      if (link === undefined) return 'stopped';
      this.#open.add(link);
      void link.ended.then(() => this.#open.delete(link));
      if (this.#stopping.signal.aborted) return 'stopped';
      leaving?.goodbye('moved to another replica');
      const turn = await this.#serve(link);
      if ('left' in turn) {
        const { reason, slotMs, deadlineMs } = turn.left;
        this.log.info({ url: link.url, reason, slotMs }, 'the replica is leaving; moving to another');
        leaving = link;
        await this.#rest(Math.min(slotMs, deadlineMs));
      } else {
        leaving = undefined;
        lost = link.url;
        if (this.#stopping.signal.aborted) return 'stopped';
        const next = this.#judgeEnd(link, turn.ended);
        if (next === 'displaced') return 'displaced';
        this.#patience.linkEnded(turn.ended.lastedMs);
        await this.#rest(this.#patience.waitMs(next, this.addresses.round(lost).length, null));
      }
    }
  }

  /** Takes the link into service and waits for its end, or for the replica's word that it leaves. */
  async #serve(link: Link): Promise<Turn> {
    this.#newest = link;
    this.#newestEpoch = link.epoch;
    const ended = link.ended.then((end) => ({ ended: end }));
    const left = new Promise<Turn>((resolve) => (this.#leave = (notice) => resolve({ left: notice })));
    this.log.info({ url: link.url, epoch: link.epoch, hub: link.welcome.hubVersion }, 'linked to the hub');
    this.#displacement.welcomed();
    this.attendant.attend(link);
    const turn = await Promise.race([ended, left]);
    this.#leave = undefined;
    return turn;
  }

  /** @returns undefined when the broker stops */
  async #dialUntilWelcomed(leaving: Link | undefined, lost: string | null): Promise<Link | undefined> {
    for (let attempt = 0; !this.#stopping.signal.aborted; attempt += 1) {
      const round =
        leaving === undefined ? this.addresses.round(lost) : this.addresses.roundAway(leaving.url);
      const url = round[attempt % round.length];
      if (url === undefined) throw new Error('a broker needs at least one address of its hub');
      try {
        return await this.#dial(url);
      } catch (error) {
        if (this.#stopping.signal.aborted) break;
        this.#patience.failed();
        const refusal = error instanceof HubRefused ? error.refusal : null;
        const { next, advice } = remedyOfFailure(error);
        if (next === 'renew') this.credential.forget();
        // One replica that cannot serve says nothing about its peers.
        const heeded = refusal?.status === 503 && round.length > 1 ? null : refusal;
        const waitMs = this.#patience.waitMs(next, round.length, heeded);
        this.#report(
          next,
          { url, waitMs: Math.round(waitMs), reason: messageOf(error) },
          `no link: ${advice}`,
        );
        await this.#rest(waitMs);
      }
    }
    return undefined;
  }

  async #dial(url: string): Promise<Link> {
    const { signal } = this.#stopping;
    const token = await this.credential.token(url, signal);
    const hello = this.attendant.hello();
    this.#displacement.greeting();
    const link = await openLink(url, token, hello, this.clocks, this.times, signal);
    if (link.epoch <= this.#newestEpoch) {
      link.cut('protocol_error', 'the epoch did not grow');
      throw new LinkFailed(`epoch ${link.epoch} is not newer than ${this.#newestEpoch}`, null);
    }
    return link;
  }

  #judgeEnd(link: Link, end: LinkEnd): Next {
    const { next, advice } = remedyOfClose(end.code);
    const facts = { url: link.url, code: end.code, reason: end.reason, lastedMs: Math.round(end.lastedMs) };
    if (next === 'renew') this.credential.forget();
    if (next !== 'displaced') {
      this.#report(next, facts, `the link ended: ${advice}`);
      return next;
    }
    if (!this.#displacement.isByAnother(end)) {
      this.log.warn(facts, 'the link was displaced; it is opened again');
      return 'again';
    }
    this.log.fatal(facts, `this broker stops: ${advice}`);
    return 'displaced';
  }

  #report(next: Next, facts: object, message: string): void {
    if (next === 'again') this.log.warn(facts, message);
    else this.log.error(facts, message);
  }

  async #rest(ms: number): Promise<void> {
    await wait(Math.min(ms, LONGEST_MS), undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }
}

function remedyOfFailure(error: unknown): Remedy {
  if (error instanceof HubRefused) return remedyOfRefusal(error.refusal);
  if (error instanceof LinkFailed && error.closeCode !== null) {
    const remedy = remedyOfClose(error.closeCode);
    // A link that was never welcomed owned nothing that could have been taken from it.
    return remedy.next === 'displaced' ? { next: 'again', advice: remedy.advice } : remedy;
  }
  return { next: 'again', advice: 'no replica answers at this address; it is tried again' };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
