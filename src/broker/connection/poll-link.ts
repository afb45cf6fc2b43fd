/**
 * A control channel over polls, for a network that lets no WebSocket through: the same frames, in batches, each request
 * bringing what the hub has not said it took and naming what has arrived.
 *
 *   greeting --welcome--> open --closed by an answer, silence, cut--> ended
 *
 * One poll is held by the hub at a time; what is to be said meanwhile goes with another, which takes its place. Whatever
 * is lost on the way is sent again, at another address of the hub if need be, until nothing was heard for the liveness
 * window. Frames that come twice are known by their numbers.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { CLOSE_CODES, type CloseReason } from '../../protocol/close-code.js';
import type { BrokerFrame, Hello, HubFrame, Welcome } from '../../protocol/frame.js';
import { LIMITS, TIMES } from '../../protocol/limits.js';
import { readPollAnswer, type PollAnswer } from '../../protocol/poll.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import { POLL_PATH } from '../../protocol/version.js';
import { elapsedMs, instantOf, type Clocks, type Instant } from '../clocks.js';
import { HubRefused, postToHub, type Refusal } from '../hub-call.js';
import type { ShownFields } from '../proof.js';
import { fullJitterMs } from './backoff.js';
import { LinkFailed, type FrameListener, type Link, type LinkEnd } from './link.js';
import { Liveness } from './liveness.js';
import { Pace } from './pace.js';

/** A poll that waits at the hub, and one that brings something. */
const POLLS_MOST = 2;
const ANSWER_WITHIN_MS = TIMES.pollHoldMs + 10_000;
/** As long as two polls may take that both bring it: a hub that answers meanwhile, and takes nothing, does not read. */
const UNTAKEN_MOST_MS = 2 * ANSWER_WITHIN_MS;
const WATCH_EVERY_MS = 1_000;
const GOODBYE_WITHIN_MS = 2_000;
const AGAIN_BASE_MS = 250;
const AGAIN_CAP_MS = 5_000;
const UNTAKEN = 'the hub does not take what is said';
/** What stands around the frames of a poll. */
const ENVELOPE_BYTES = 64 * 1024;

/** Where and as whom polls are sent. */
export type PollWay = {
  /** The address that is polled first, and those that are when it does not answer. */
  urls: () => readonly string[];
  /** @param connectionId that of the link, once there is one */
  show: (url: string, connectionId?: string) => Promise<ShownFields>;
  /** The hub did not take what was shown. */
  refused: (refusal: Refusal) => void;
};

type Numbered = { frame: BrokerFrame; bytes: number };

/**
 * Greets by a poll, and waits for the welcome.
 *
 * @throws HubRefused, HubUnreachable
 * @throws LinkFailed where the hub closed the channel instead, or said no welcome
 */
export async function openPollLink(
  way: PollWay,
  hello: () => Hello,
  clocks: Clocks,
  times: { welcomeWithinMs: number },
  signal: AbortSignal,
): Promise<Link> {
  const [url] = way.urls();
  if (url === undefined) throw new LinkFailed('there is no address to poll', null);
  const shown = await way.show(url);
  const said = hello();
  const body = { connectionId: null, first: 1, frames: [said], received: 0 };
  const asking = { shown, withinMs: times.welcomeWithinMs };
  const answer = read(await postToHub(url, POLL_PATH, body, signal, asking));
  const [welcome, ...rest] = answer.frames;
  if (welcome?.t === 'welcome') return new PollLink(url, way, said, welcome, rest, clocks);
  const { closed } = answer;
  throw new LinkFailed(closed?.reason ?? 'no welcome in time', closed?.code ?? null);
}

class PollLink implements Link {
  readonly ended: Promise<LinkEnd>;
  readonly liveness: Liveness;
  readonly pace: Pace;
  readonly epoch: number;
  #listener: FrameListener | undefined;
  readonly #early: HubFrame[];
  readonly #unseen: Numbered[] = [];
  #unseenBytes = 0;
  /** When something was seen taken last, or the first of what was not was said. */
  #seenAt: Instant;
  /** Number of the first that was not seen taken; the hello was the first of all. */
  #first = 2;
  /** Number of the last that went out with some poll. */
  #told = 1;
  #received: number;
  #polls = 0;
  #failures = 0;
  #refusals = 0;
  #isOpen = true;
  #isFlushing = false;
  readonly #openedMs: number;
  readonly #over = new AbortController();
  readonly #watching: NodeJS.Timeout;
  #resolveEnd: (end: LinkEnd) => void = () => undefined;
  /** What this side says about the end, which wins over what the hub answers to it. */
  #ownEnd: { code: number; reason: string } | undefined;

  constructor(
    readonly url: string,
    private readonly way: PollWay,
    readonly hello: Hello,
    readonly welcome: Welcome,
    early: HubFrame[],
    private readonly clocks: Clocks,
  ) {
    this.epoch = welcome.epoch;
    this.liveness = new Liveness(clocks, welcome.livenessMs);
    this.#openedMs = clocks.monotonicMs();
    this.#seenAt = instantOf(clocks);
    this.#early = early;
    this.#received = 1 + early.length;
    this.ended = new Promise((resolve) => (this.#resolveEnd = resolve));
    this.pace = new Pace(() => this.#unseenBytes, this.ended);
    this.#watching = setInterval(() => this.#watch(), WATCH_EVERY_MS);
    this.#pump();
  }

  get isOpen(): boolean {
    return this.#isOpen && this.#ownEnd === undefined;
  }

  listen(listener: FrameListener): void {
    this.#listener = listener;
    for (const frame of this.#early.splice(0)) listener(frame);
  }

  send(frame: BrokerFrame): boolean {
    if (!this.isOpen) return false;
    const bytes = Buffer.byteLength(JSON.stringify(frame));
    if (this.#unseenBytes + bytes > LIMITS.bufferedBytes) {
      this.cut('slow_consumer', UNTAKEN);
      return false;
    }
    if (this.#unseen.length === 0) this.#seenAt = instantOf(this.clocks);
    this.#unseen.push({ frame, bytes });
    this.#unseenBytes += bytes;
    this.#flush();
    return true;
  }

  goodbye(reason: string): void {
    if (!this.send({ t: 'goodbye', reason })) return;
    const end = { code: CLOSE_CODES.goodbye, reason };
    this.#ownEnd = end;
    const patience = setTimeout(() => this.#end(end), GOODBYE_WITHIN_MS);
    void this.ended.then(() => clearTimeout(patience));
  }

  cut(why: CloseReason, reason: string): void {
    this.#end({ code: CLOSE_CODES[why], reason });
  }

  /** What is said in one turn travels together. */
  #flush(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    setImmediate(() => {
      this.#isFlushing = false;
      this.#pump();
    });
  }

  #pump(): void {
    const hasNews = this.#first + this.#unseen.length - 1 > this.#told;
    if (!this.#isOpen || this.#polls >= POLLS_MOST || (this.#polls > 0 && !hasNews)) return;
    this.#polls += 1;
    void this.#poll().finally(() => {
      this.#polls -= 1;
      this.#pump();
    });
  }

  async #poll(): Promise<void> {
    const frames = this.#batch();
    const { signal } = this.#over;
    const urls = this.way.urls();
    const url = urls[this.#failures % urls.length] ?? this.url;
    const { connectionId } = this.welcome;
    const body = { connectionId, first: this.#first, frames, received: this.#received };
    this.#told = Math.max(this.#told, this.#first + frames.length - 1);
    try {
      const shown = await this.way.show(url, connectionId);
      this.#take(read(await postToHub(url, POLL_PATH, body, signal, { shown, withinMs: ANSWER_WITHIN_MS })));
      this.#failures = 0;
      this.#refusals = 0;
    } catch (error) {
      if (!this.#isOpen) return;
      if (error instanceof ProtocolError || error instanceof LinkFailed) {
        this.cut('protocol_error', error.message);
        return;
      }
      const end = error instanceof HubRefused ? this.#endOf(error.refusal) : undefined;
      if (end !== undefined) {
        this.#end(end);
        return;
      }
      this.#failures += 1;
      // None of it was seen taken: the next poll brings it again.
      this.#told = this.#first - 1;
      const restMs = fullJitterMs(Math.min(this.#failures, 5), AGAIN_BASE_MS, AGAIN_CAP_MS, Math.random);
      const floorMs = error instanceof HubRefused ? (error.refusal.retryAfterMs ?? 0) : 0;
      await wait(Math.min(floorMs, AGAIN_CAP_MS) + restMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** As much of what was not seen taken as a poll may have. */
  #batch(): BrokerFrame[] {
    const frames: BrokerFrame[] = [];
    let bytes = ENVELOPE_BYTES;
    for (const numbered of this.#unseen) {
      bytes += numbered.bytes;
      if (frames.length > 0 && (bytes > LIMITS.pollBytes || frames.length === LIMITS.batch)) break;
      frames.push(numbered.frame);
    }
    return frames;
  }

  #take({ first, frames, received, closed }: PollAnswer): void {
    if (!this.liveness.heard()) {
      this.cut('timed_out', 'silent for longer than its liveness window');
      return;
    }
    if (first > this.#received + 1) throw new ProtocolError('the answer leaves frames out');
    while (this.#first <= received && this.#unseen.length > 0) {
      this.#unseenBytes -= this.#unseen.shift()?.bytes ?? 0;
      this.#first += 1;
      this.#seenAt = instantOf(this.clocks);
    }
    this.pace.taken();
    frames.forEach((frame, index) => {
      if (first + index <= this.#received || !this.#isOpen) return;
      this.#received = first + index;
      if (this.#listener === undefined) this.#early.push(frame);
      else this.#listener(frame);
    });
    if (closed !== null) this.#end(this.#ownEnd ?? closed);
  }

  /** What a refusal makes of the link; undefined where the same poll is to be sent again. */
  #endOf(refusal: Refusal): { code: number; reason: string } | undefined {
    const { status, detail } = refusal;
    if (status === 401) {
      this.way.refused(refusal);
      this.#refusals += 1;
      return this.#refusals > 1 ? { code: CLOSE_CODES.credential_expired, reason: detail } : undefined;
    }
    if (status >= 500 || status === 429 || status === 408) return undefined;
    if (status === 403) return { code: CLOSE_CODES.revoked, reason: detail };
    // Nobody holds the connection any more, as with a socket that broke.
    if (status === 409) return { code: 1006, reason: detail };
    return { code: CLOSE_CODES.protocol_error, reason: detail };
  }

  #watch(): void {
    if (!this.liveness.isFresh()) this.cut('timed_out', 'the hub does not answer');
    const untakenMs = elapsedMs(this.#seenAt, instantOf(this.clocks));
    if (this.#unseen.length > 0 && untakenMs > UNTAKEN_MOST_MS) this.cut('slow_consumer', UNTAKEN);
  }

  #end(end: { code: number; reason: string }): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearInterval(this.#watching);
    this.#over.abort();
    const { code, reason } = this.#ownEnd ?? end;
    this.#resolveEnd({ code, reason, lastedMs: this.clocks.monotonicMs() - this.#openedMs });
  }
}

function read(answer: unknown): PollAnswer {
  try {
    return readPollAnswer(answer);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    throw new LinkFailed(error.message, CLOSE_CODES.protocol_error);
  }
}
