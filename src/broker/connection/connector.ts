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
 * Where no WebSocket opens, or none over which anything comes, twice in a row, and the hub answers over plain HTTP, the link
 * is one over polls. While it serves, a WebSocket is tried for again and again; once one is welcomed the polls are left as a
 * replica is, and until then nothing changes for them.
 *
 * With a standby, a second link is held ready at another replica. Where the first one ends or leaves, it is promoted in place
 * of the next dialling.
 *
 * Never gives up, whatever the hub says; the one exception is a copy of this broker that took its place, since
 * two of them would displace each other for ever. Every wait can be interrupted by `stop`.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { GoingAway, Hello } from '../../protocol/frame.js';
import type { Clocks } from '../clocks.js';
import type { Credential } from '../credential.js';
import { HubUnreachable } from '../broker.errors.js';
import { HubRefused, type Refusal } from '../hub-call.js';
import { CLOSE_CODES, DISPLACED_BY } from '../../protocol/close-code.js';
import { CONTROL_PATH, POLL_PATH } from '../../protocol/version.js';
import type { Addresses } from './addresses.js';
import { DisplacementJudge } from './displacement.js';
import { openPollLink } from './poll-link.js';
import { LinkFailed, NO_CLOSE, type Link, type LinkEnd, type LinkTimes } from './link.js';
import { Patience, type ReconnectTimes } from './patience.js';
import { openLink } from './socket-link.js';
import { SocketSeeker } from './socket-seeker.js';
import { StandbyKeeper } from './standby.js';
import { openStandbyLink } from './standby-link.js';
import { LEARNED_CLOCK, remedyOfClose, remedyOfRefusal, type Next, type Remedy } from './remedy.js';

/** Why a broker is over: it was asked to stop, or a copy of it took its place. */
export type ExitReason = 'stopped' | 'displaced';

/** A timer that is set for longer fires at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** What the connector needs from the broker it connects. */
type Attendant = {
  /** What is to be said now; that it is said changes nothing. */
  hello(): Hello;
  /** A link was welcomed and is now the newest; must not block. */
  attend(link: Link): void;
};

type Turn = { left: GoingAway } | { ended: LinkEnd } | { better: Link };

const UPGRADE = { method: 'GET', path: CONTROL_PATH } as const;

/** WebSockets in a row over which nothing came, after which the hub is polled. */
const UNHEARD_MOST = 2;
/** What takes the place of polls is welcomed at the moment in which they end, but for its way. */
const OWN_WITHIN_MS = 3_000;

export class Connector {
  /** Rejects for a fault of this program's own. */
  readonly done: Promise<ExitReason>;
  #newest: Link | undefined;
  #newestEpoch = 0;
  readonly #open = new Set<Link>();
  /** Those of them that run over polls. */
  readonly #polling = new WeakSet<Link>();
  readonly #greet = (): Hello => {
    this.#displacement.greeting();
    return this.attendant.hello();
  };
  readonly #standby: StandbyKeeper | undefined;
  readonly #stopping = new AbortController();
  readonly #patience: Patience;
  readonly #displacement: DisplacementJudge;
  #unheard = 0;
  #leave: ((notice: GoingAway) => void) | undefined;
  #running: Promise<ExitReason> | undefined;
  #finish: (reason: ExitReason | Promise<ExitReason>) => void = () => undefined;

  constructor(
    private readonly addresses: Addresses,
    private readonly credential: Credential,
    private readonly attendant: Attendant,
    private readonly clocks: Clocks,
    private readonly times: ReconnectTimes & LinkTimes,
    private readonly random: () => number,
    private readonly log: Logger,
    { standby = false }: { standby?: boolean } = {},
  ) {
    if (standby) this.#standby = new StandbyKeeper(this.#standbyWay(), times, random, log);
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
    await this.#standby?.stop();
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
    let better: Link | undefined;
    for (;;) {
      const link: Link | undefined =
        better ?? (await this.#promoted()) ?? (await this.#dialUntilWelcomed(leaving, lost));
      const isBetter = better !== undefined;
      better = undefined;
      if (link === undefined) return 'stopped';
      this.#open.add(link);
      void link.ended.then(() => this.#open.delete(link));
      if (this.#stopping.signal.aborted) return 'stopped';
      leaving?.goodbye(isBetter ? 'moved to a WebSocket' : 'moved to another replica');
      const turn = await this.#serve(link);
      if ('better' in turn) {
        this.log.info({ url: link.url }, 'a WebSocket opens again; leaving the polls');
        leaving = link;
        better = turn.better;
      } else if ('left' in turn) {
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
        // Whatever the hub said of the link, a credential that is to be renewed is no good on another either.
        better = next === 'again' ? await this.#promoted() : undefined;
        if (better !== undefined) continue;
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
    this.#standby?.beside(link);
    const seeker = this.#polling.has(link) ? this.#seekerBeside(link) : undefined;
    const turns: Promise<Turn>[] = [ended, left];
    if (seeker !== undefined) turns.push(seeker.found.then((better) => ({ better })));
    const turn = await Promise.race(turns);
    this.#leave = undefined;
    if ('better' in turn) return turn;
    const better =
      'ended' in turn && mayBeByItself(turn.ended) ? await seeker?.last(OWN_WITHIN_MS) : undefined;
    if (better !== undefined) return { better };
    seeker?.abandon();
    return turn;
  }

  #standbyWay() {
    return {
      besides: (url: string) => this.addresses.besides(url),
      open: async (url: string, signal: AbortSignal) => {
        const shown = await this.credential.show(url, UPGRADE, signal);
        const hello = () => this.attendant.hello();
        const held = await openStandbyLink(url, shown, hello, this.clocks, this.times, signal);
        void this.addresses.learnMore(held.alternatives).catch((error: unknown) => {
          this.log.warn({ err: error }, 'learned addresses could not be kept');
        });
        return held;
      },
    };
  }

  /** The link that was held ready, as the broker's own; undefined where there is none, or its replica does not take it. */
  async #promoted(): Promise<Link | undefined> {
    const held = this.#stopping.signal.aborted ? undefined : this.#standby?.take();
    if (held === undefined) return undefined;
    try {
      return this.#ofGrownEpoch(await held.promote(this.#greet()));
    } catch (error) {
      this.log.warn({ url: held.url, reason: messageOf(error) }, 'the standby link could not be promoted');
      return undefined;
    }
  }

  /** @returns undefined when the broker stops */
  async #dialUntilWelcomed(leaving: Link | undefined, lost: string | null): Promise<Link | undefined> {
    let attempt = 0;
    let promising: string | undefined;
    while (!this.#stopping.signal.aborted) {
      const round =
        leaving === undefined ? this.addresses.round(lost) : this.addresses.roundAway(leaving.url);
      const url: string | undefined = promising ?? round[attempt % round.length];
      if (url === undefined) throw new Error('a broker needs at least one address of its hub');
      try {
        return await this.#dial(url);
      } catch (error) {
        if (this.#stopping.signal.aborted) break;
        this.#patience.failed();
        const refusal = error instanceof HubRefused ? error.refusal : null;
        // A clock that is wrong is put right for the next try; where that was known, somebody must set it.
        const isLate = refusal !== null && this.credential.learnClock(refusal);
        const { next, advice } = isLate ? LEARNED_CLOCK : remedyOfFailure(error);
        if (next === 'renew') this.credential.forget();
        // One replica that cannot serve says nothing about its peers.
        const heeded = refusal?.status === 503 && round.length > 1 ? null : refusal;
        // A turn holds where it was given, and once: elsewhere it is worth nothing.
        promising = refusal?.status === 429 && promising === undefined ? url : undefined;
        if (promising === undefined) attempt += 1;
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
    let link: Link;
    try {
      link = await this.#openSocket(url, this.#greet, signal);
    } catch (error) {
      if (!isUnheard(error) || this.#stopping.signal.aborted) throw error;
      this.#unheard += 1;
      if (this.#unheard < UNHEARD_MOST) throw error;
      link = await this.#openPolls(url, error);
    }
    return this.#ofGrownEpoch(link);
  }

  async #openSocket(url: string, hello: () => Hello, signal: AbortSignal): Promise<Link> {
    const shown = await this.credential.show(url, UPGRADE, signal);
    const link = await openLink(url, shown, hello, this.clocks, this.times, signal);
    this.#unheard = 0;
    return link;
  }

  /** @throws what kept the WebSocket from opening, where polls are not answered either */
  async #openPolls(url: string, why: unknown): Promise<Link> {
    const { signal } = this.#stopping;
    const way = {
      urls: () => [url, ...this.addresses.round(null).filter((each) => each !== url)],
      show: (at: string, connectionId?: string) =>
        this.credential.show(at, { method: 'POST', path: POLL_PATH, connectionId }, signal),
      refused: (refusal: Refusal) => {
        if (!this.credential.learnClock(refusal)) this.credential.forget();
      },
    };
    try {
      const link = await openPollLink(way, this.#greet, this.clocks, this.times, signal);
      this.#polling.add(link);
      this.log.warn(
        { url, reason: messageOf(why) },
        'nothing comes over WebSockets: the hub is polled instead',
      );
      return link;
    } catch (error) {
      // A network that answers nothing at all says nothing about WebSockets.
      throw error instanceof HubUnreachable ? why : error;
    }
  }

  /** A try beside the polls is no attempt to get the broker its link, which it has: who takes that meanwhile is a copy. */
  #seekerBeside(polls: Link): SocketSeeker {
    const hello = () => this.attendant.hello();
    const open = async (signal: AbortSignal) => {
      const either = AbortSignal.any([signal, this.#stopping.signal]);
      return this.#ofGrownEpoch(await this.#openSocket(polls.url, hello, either));
    };
    return new SocketSeeker(open, this.times.socketAgainMs, this.random, this.log);
  }

  #ofGrownEpoch(link: Link): Link {
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

/** Whether no WebSocket came about over which anything comes, for another reason than the word of a hub. */
function isUnheard(error: unknown): boolean {
  if (error instanceof LinkFailed) return !error.wasHeard;
  if (!(error instanceof HubRefused)) return false;
  // What stands between answers without a problem document; a credential is the hub's business all the same.
  const { code, status } = error.refusal;
  return code.startsWith('http_') && status !== 401;
}

/** Whether a newer link of this very broker may be what ended this one. */
function mayBeByItself({ code, reason }: LinkEnd): boolean {
  if (code === CLOSE_CODES.displaced) return reason !== DISPLACED_BY.another;
  return code === NO_CLOSE;
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
