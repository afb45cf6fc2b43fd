import WebSocket from 'ws';
import { CLOSE_CODES } from '../../protocol/close-code.js';
import type { Hello, StandbyOk } from '../../protocol/frame.js';
import { ProtocolError } from '../../protocol/protocol.error.js';
import { STANDBY_SUBPROTOCOL } from '../../protocol/version.js';
import type { Clocks } from '../clocks.js';
import type { ShownFields } from '../proof.js';
import { greet, messageOf, readFrame } from './greeting.js';
import { LinkFailed, type Link, type LinkEnd, type LinkTimes } from './link.js';
import { Liveness } from './liveness.js';
import { SocketLink } from './socket-link.js';

/** The link is there already: what does not answer sooner is no better than dialling anew. */
const PROMOTED_WITHIN_MS = 3_000;

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

  promote(hello: Hello): Promise<Link> {
    const { lastEpoch, capabilities, health } = hello;
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
          resolve(new SocketLink(url, socket, hello, frame, clocks, times));
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
