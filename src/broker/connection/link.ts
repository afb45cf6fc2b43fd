import type { CloseReason } from '../../protocol/close-code.js';
import type { BrokerFrame, Hello, HubFrame, Welcome } from '../../protocol/frame.js';
import { TIMES } from '../../protocol/limits.js';
import type { Liveness } from './liveness.js';
import type { Pace } from './pace.js';

/** Of a link that ended without a close frame (RFC 6455 section 7.1.5). */
export const NO_CLOSE = 1006;

/** How a link ended; `NO_CLOSE` where nobody said so. */
export type LinkEnd = { code: number; reason: string; lastedMs: number };

/** The link ended before it was welcomed. */
export class LinkFailed extends Error {
  constructor(
    message: string,
    readonly closeCode: number | null,
    /** Whether anything came over it, or nobody was reached: where nothing does, the way may be one that lets no frames through. */
    readonly wasHeard = true,
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
  /** What the hub was told before it welcomed. */
  readonly hello: Hello;
  readonly welcome: Welcome;
  readonly epoch: number;
  readonly liveness: Liveness;
  /** For whoever has much to say. */
  readonly pace: Pace;
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
