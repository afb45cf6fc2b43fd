/**
 * One control channel to one replica over a WebSocket, from its dialling to its end.
 *
 *   dialling --open--> greeting (hello sent) --welcome--> open --close, cut, refusal--> ended
 *
 * A link either resolves welcomed or rejects with what the hub said. It answers for the wire only: frames are
 * parsed, silence is noticed and cut, a hub that does not read is cut. What frames mean is the listener's, and
 * a listener must not block: it is called from the read loop.
 */
import WebSocket from 'ws';
import { CLOSE_CODES, type CloseReason } from '../../protocol/close-code.js';
import type { BrokerFrame, Hello, HubFrame, Welcome } from '../../protocol/frame.js';
import { LIMITS } from '../../protocol/limits.js';
import { SUBPROTOCOL } from '../../protocol/version.js';
import type { Clocks } from '../clocks.js';
import type { ShownFields } from '../proof.js';
import { greet, messageOf, readFrame } from './greeting.js';
import type { FrameListener, Link, LinkEnd, LinkTimes } from './link.js';
import { Liveness } from './liveness.js';
import { Pace } from './pace.js';

/**
 * Dials, greets, and waits for the welcome.
 *
 * @param shown who dials, proven for this one upgrade
 * @param hello asked for when it is about to be sent
 * @throws HubRefused where the upgrade was answered with plain HTTP
 * @throws LinkFailed for anything else that kept the link from being welcomed, an abort included
 */
export function openLink(
  url: string,
  shown: ShownFields,
  hello: () => Hello,
  clocks: Clocks,
  times: LinkTimes,
  signal: AbortSignal,
): Promise<Link> {
  const make = (socket: WebSocket, welcome: Welcome, said: Hello) =>
    new SocketLink(url, socket, said, welcome, clocks, times);
  return greet(url, shown, SUBPROTOCOL, hello, 'welcome', make, times, signal);
}

/** A link over a WebSocket. */
export class SocketLink implements Link {
  readonly ended: Promise<LinkEnd>;
  readonly liveness: Liveness;
  readonly pace: Pace;
  readonly epoch: number;
  #unanswered = 0;
  #listener: FrameListener | undefined;
  readonly #early: HubFrame[] = [];
  /** What this side says about the end, which wins over the bare 1006 of a cut. */
  #ownEnd: { code: number; reason: string } | undefined;
  #isCut = false;

  constructor(
    readonly url: string,
    private readonly socket: WebSocket,
    readonly hello: Hello,
    readonly welcome: Welcome,
    clocks: Clocks,
    private readonly times: LinkTimes,
  ) {
    this.epoch = welcome.epoch;
    this.liveness = new Liveness(clocks, welcome.livenessMs);
    const openedMs = clocks.monotonicMs();
    const pinging = setInterval(() => this.#ping(), times.pingMs);
    this.ended = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        clearInterval(pinging);
        const end = this.#ownEnd ?? { code, reason: reason.toString() };
        resolve({ ...end, lastedMs: clocks.monotonicMs() - openedMs });
      });
    });
    this.pace = new Pace(() => socket.bufferedAmount, this.ended);
    socket.on('pong', () => {
      this.#unanswered = 0;
      this.#heard();
    });
    socket.on('ping', () => this.#heard());
    socket.on('message', (data: Buffer, isBinary) => this.#receive(data, isBinary));
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  listen(listener: FrameListener): void {
    this.#listener = listener;
    for (const frame of this.#early.splice(0)) listener(frame);
  }

  send(frame: BrokerFrame): boolean {
    if (!this.isOpen) return false;
    if (this.socket.bufferedAmount > LIMITS.bufferedBytes) {
      this.cut('slow_consumer', 'the hub does not read');
      return false;
    }
    this.socket.send(JSON.stringify(frame), () => this.pace.taken());
    return true;
  }

  goodbye(reason: string): void {
    if (this.send({ t: 'goodbye', reason })) this.#ownEnd ??= { code: CLOSE_CODES.goodbye, reason };
    this.socket.close(CLOSE_CODES.goodbye, reason);
    const patience = setTimeout(() => this.socket.terminate(), 2_000);
    void this.ended.then(() => clearTimeout(patience));
  }

  cut(why: CloseReason, reason: string): void {
    this.#ownEnd ??= { code: CLOSE_CODES[why], reason };
    this.#isCut = true;
    this.socket.close(CLOSE_CODES[why], reason);
    this.socket.terminate();
  }

  #receive(data: Buffer, isBinary: boolean): void {
    if (!this.#heard() || this.#isCut) return;
    let frame: HubFrame;
    try {
      frame = readFrame(data, isBinary);
    } catch (error) {
      this.cut('protocol_error', messageOf(error));
      return;
    }
    if (this.#listener === undefined) this.#early.push(frame);
    else this.#listener(frame);
  }

  #heard(): boolean {
    if (this.liveness.heard()) return true;
    if (this.isOpen) this.cut('timed_out', 'silent for longer than its liveness window');
    return false;
  }

  #ping(): void {
    if (this.#unanswered >= this.times.unansweredPings || !this.liveness.isFresh()) {
      this.cut('timed_out', 'the hub does not answer');
      return;
    }
    this.#unanswered += 1;
    if (this.isOpen) this.socket.ping();
  }
}
