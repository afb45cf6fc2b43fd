/**
 * One control channel to one replica, from its dialling to its end.
 *
 *   dialling --open--> greeting (hello sent) --welcome--> open --close, cut, refusal--> ended
 *
 * A link either resolves welcomed or rejects with what the hub said. It answers for the wire only: frames are
 * parsed, silence is noticed and cut, a hub that does not read is cut. What frames mean is the listener's, and
 * a listener must not block: it is called from the read loop.
 */
import type { IncomingMessage } from 'node:http';
import WebSocket from 'ws';
import { CLOSE_CODES, type CloseReason } from '../../protocol/close-code.js';
import type { BrokerFrame, Hello, HubFrame, StandbyOk, Welcome } from '../../protocol/frame.js';
import { LIMITS, TIMES } from '../../protocol/limits.js';
import { parseHubFrame } from '../../protocol/parse.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import { STANDBY_SUBPROTOCOL, SUBPROTOCOL } from '../../protocol/version.js';
import type { Clocks } from '../clocks.js';
import { HubRefused, readRefusal } from '../hub-call.js';
import type { ShownFields } from '../proof.js';
import { controlUrl } from './addresses.js';
import { Liveness } from './liveness.js';

/** How a link ended; code 1006 where nobody said so (RFC 6455 section 7.1.5). */
export type LinkEnd = { code: number; reason: string; lastedMs: number };

/** The link ended before it was welcomed. */
export class LinkFailed extends Error {
  constructor(
    message: string,
    readonly closeCode: number | null,
    /** Whether there was a channel at all, over which a hello could go. */
    readonly hasOpened = true,
  ) {
    super(message);
    this.name = 'LinkFailed';
  }
}

export type LinkTimes = {
  pingMs: number;
  unansweredPings: number;
  welcomeWithinMs: number;
  /** From the opening of polls to the first try for a WebSocket; a minute where left out, and longer with each try. */
  socketAgainMs?: number;
};

export const LINK_TIMES: LinkTimes = {
  pingMs: TIMES.pingMs,
  unansweredPings: TIMES.unansweredPings,
  welcomeWithinMs: 10_000,
};

export type FrameListener = (frame: HubFrame) => void;

/** A welcomed control channel, over whatever carries it. */
export interface Link {
  readonly url: string;
  readonly welcome: Welcome;
  readonly epoch: number;
  readonly liveness: Liveness;
  readonly ended: Promise<LinkEnd>;
  readonly isOpen: boolean;
  /** Hands over every frame from the first after the welcome on, in order. */
  listen(listener: FrameListener): void;
  /** @returns false where the link is not open, so that the frame went nowhere */
  send(frame: BrokerFrame): boolean;
  /** Says goodbye and closes once everything before it is written; cut if the hub does not answer. */
  goodbye(reason: string): void;
  /** Ends the link at once, telling the hub why if it still listens. */
  cut(why: CloseReason, reason: string): void;
}

const REFUSAL_BYTES = 64 * 1024;
/** The link is there already: what does not answer sooner is no better than dialling anew. */
const PROMOTED_WITHIN_MS = 3_000;

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
  const make = (socket: WebSocket, welcome: Welcome) => new SocketLink(url, socket, welcome, clocks, times);
  return greet(url, shown, SUBPROTOCOL, hello, 'welcome', make, times, signal);
}

/** A second link, which owns nothing until it is promoted. */
export interface StandbyLink {
  readonly url: string;
  /** Where else the hub is, as the replica that holds the link says. */
  readonly alternatives: readonly string[];
  readonly ended: Promise<LinkEnd>;
  readonly isOpen: boolean;
  /**
   * Has the hub take the broker's connection over this link.
   *
   * @throws LinkFailed where it does not: then the link has ended
   */
  promote(hello: Hello): Promise<Link>;
  goodbye(reason: string): void;
}

/**
 * As `openLink`, for a link that is held ready.
 *
 * @throws HubRefused also where the hub knows of no such links
 */
export function openStandbyLink(
  url: string,
  shown: ShownFields,
  hello: () => Hello,
  clocks: Clocks,
  times: LinkTimes,
  signal: AbortSignal,
): Promise<StandbyLink> {
  const greeting = () => ({ ...hello(), standby: true });
  const make = (socket: WebSocket, ok: StandbyOk) => new HeldLink(url, socket, ok, clocks, times);
  return greet(url, shown, STANDBY_SUBPROTOCOL, greeting, 'standby_ok', make, times, signal);
}

type Answer = { welcome: Welcome; standby_ok: StandbyOk };

/** @param make called before anything that comes behind the answer is looked at */
function greet<T extends keyof Answer, L>(
  url: string,
  shown: ShownFields,
  subprotocol: string,
  hello: () => Hello,
  expected: T,
  make: (socket: WebSocket, answer: Answer[T]) => L,
  times: LinkTimes,
  signal: AbortSignal,
): Promise<L> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(controlUrl(url), subprotocol, {
      headers: shown,
      perMessageDeflate: false,
      maxPayload: LIMITS.frameBytes,
      handshakeTimeout: times.welcomeWithinMs,
      followRedirects: false,
    });
    const fail = (error: Error): void => {
      settle();
      socket.terminate();
      reject(error);
    };
    let isSettled = false;
    let hasOpened = false;
    const patience = setTimeout(
      () => fail(new LinkFailed('no welcome in time', null, hasOpened)),
      times.welcomeWithinMs + times.welcomeWithinMs / 2,
    );
    const abort = (): void => fail(new LinkFailed('given up', null));
    const settle = (): void => {
      isSettled = true;
      clearTimeout(patience);
      signal.removeEventListener('abort', abort);
      for (const event of ['open', 'message', 'close', 'unexpected-response'])
        socket.removeAllListeners(event);
    };
    // Kept for good: a socket without this listener would end the process on a late error.
    socket.on('error', (error) => {
      if (!isSettled) fail(new LinkFailed(error.message, null, hasOpened));
    });
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) return abort();
    socket.on('unexpected-response', (_request, response) => {
      void readBody(response).then((body) => {
        if (isSettled) return;
        fail(
          new HubRefused(
            readRefusal(response.statusCode ?? 0, response.headers['retry-after'] ?? null, body),
          ),
        );
      });
    });
    socket.on('open', () => {
      hasOpened = true;
      socket.send(JSON.stringify(hello()));
    });
    socket.on('close', (code, reason) =>
      fail(new LinkFailed(reason.toString() || 'closed unwelcomed', code)),
    );
    socket.on('message', (data: Buffer, isBinary) => {
      try {
        const frame = readFrame(data, isBinary);
        if (frame.t !== expected) throw new ProtocolError(`the first frame must be a ${expected}`);
        settle();
        resolve(make(socket, frame as Answer[T]));
      } catch (error) {
        socket.close(CLOSE_CODES.protocol_error, messageOf(error));
        fail(new LinkFailed(messageOf(error), CLOSE_CODES.protocol_error));
      }
    });
  });
}

/** A standby link over a WebSocket: watched like any, until it becomes one that carries work. */
class HeldLink implements StandbyLink {
  readonly ended: Promise<LinkEnd>;
  readonly alternatives: readonly string[];
  readonly #pinging: NodeJS.Timeout;
  #unanswered = 0;

  constructor(
    readonly url: string,
    private readonly socket: WebSocket,
    { livenessMs, alternatives }: StandbyOk,
    private readonly clocks: Clocks,
    private readonly times: LinkTimes,
  ) {
    this.alternatives = alternatives;
    const liveness = new Liveness(clocks, livenessMs);
    const openedMs = clocks.monotonicMs();
    this.#pinging = setInterval(() => {
      if (this.#unanswered >= times.unansweredPings || !liveness.isFresh()) socket.terminate();
      this.#unanswered += 1;
      if (this.isOpen) socket.ping();
    }, times.pingMs);
    this.ended = new Promise((resolve) => {
      socket.once('close', (code, reason) => {
        clearInterval(this.#pinging);
        resolve({ code, reason: reason.toString(), lastedMs: clocks.monotonicMs() - openedMs });
      });
    });
    const heard = (): void => {
      this.#unanswered = 0;
      liveness.heard();
    };
    socket.on('pong', heard);
    socket.on('ping', heard);
    // Nothing is said to a link that is held ready but how it ends.
    socket.on('message', () => this.goodbye('a frame on a standby link'));
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  promote({ lastEpoch, capabilities, health }: Hello): Promise<Link> {
    const { socket, url, clocks, times } = this;
    for (const event of ['message', 'pong', 'ping']) socket.removeAllListeners(event);
    clearInterval(this.#pinging);
    return new Promise((resolve, reject) => {
      const fail = (error: LinkFailed): void => {
        clearTimeout(patience);
        socket.terminate();
        reject(error);
      };
      const patience = setTimeout(
        () => fail(new LinkFailed('no welcome in time', null)),
        Math.min(PROMOTED_WITHIN_MS, times.welcomeWithinMs),
      );
      void this.ended.then(({ code, reason }) => fail(new LinkFailed(reason || 'closed unwelcomed', code)));
      socket.once('message', (data: Buffer, isBinary) => {
        clearTimeout(patience);
        try {
          const frame = readFrame(data, isBinary);
          if (frame.t !== 'welcome') throw new ProtocolError('a promote is answered by a welcome');
          resolve(new SocketLink(url, socket, frame, clocks, times));
        } catch (error) {
          socket.close(CLOSE_CODES.protocol_error, messageOf(error));
          fail(new LinkFailed(messageOf(error), CLOSE_CODES.protocol_error));
        }
      });
      socket.send(JSON.stringify({ t: 'promote', lastEpoch, capabilities, health }));
    });
  }

  goodbye(reason: string): void {
    if (this.isOpen) this.socket.send(JSON.stringify({ t: 'goodbye', reason }));
    this.socket.close(CLOSE_CODES.goodbye, reason);
    const patience = setTimeout(() => this.socket.terminate(), 2_000);
    void this.ended.then(() => clearTimeout(patience));
  }
}

/** A link over a WebSocket. */
class SocketLink implements Link {
  readonly ended: Promise<LinkEnd>;
  readonly liveness: Liveness;
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
    this.socket.send(JSON.stringify(frame));
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

function readFrame(data: Buffer, isBinary: boolean): HubFrame {
  if (isBinary) throw new ProtocolError('a frame must be text');
  return parseHubFrame(data.toString());
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 120);
}

async function readBody(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > REFUSAL_BYTES) break;
      chunks.push(chunk);
    }
  } catch {
    // What was read of a refusal before it broke off is still its text.
  }
  return Buffer.concat(chunks).toString();
}
