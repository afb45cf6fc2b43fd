/**
 * What a broker makes of each way in which a hub may end a link or refuse one: how soon to try again, and the
 * one sentence that tells a person what to do. Nothing here gives up for good but a broker that runs twice.
 */
import { closeReason, type CloseReason } from '../../protocol/close-code.js';
import type { Refusal } from '../hub-call.js';

export type Next =
  /** With the usual backoff. */
  | 'again'
  /** Once at once with a new access token, then slowly. */
  | 'renew'
  /** Nothing will change before somebody acts. */
  | 'slowly'
  /** Another link of this broker took over; whose it is decides. */
  | 'displaced';

export type Remedy = { next: Next; advice: string };

const REMEDIES: Readonly<Record<CloseReason, Remedy>> = {
  goodbye: { next: 'again', advice: 'the link was closed in peace; it will be opened again' },
  going_away: { next: 'again', advice: 'the replica left; another one is tried' },
  framing_error: {
    next: 'again',
    advice:
      'what arrived was no message of a WebSocket, which is a fault of the broker, the hub or a proxy between them: report it with this log',
  },
  text_error: {
    next: 'again',
    advice: 'a message was no UTF-8, which is a fault of the broker or the hub: report it with this log',
  },
  frame_too_large: {
    next: 'again',
    advice: 'a frame was over the limit, which is a fault of the broker or the hub: report it with this log',
  },
  protocol_error: {
    next: 'again',
    advice: 'hub and broker do not understand each other: bring both to the same release',
  },
  credential_expired: { next: 'renew', advice: 'the access token ran out; a new one is asked for' },
  revoked: {
    next: 'slowly',
    advice: 'this broker was revoked: ask an administrator, or join again with a new home and token',
  },
  timed_out: {
    next: 'again',
    advice: 'one side heard nothing for too long: look at the network between them',
  },
  displaced: {
    next: 'displaced',
    advice: 'another process connected as this broker: look for a copy of its home folder on another machine',
  },
  version_refused: { next: 'slowly', advice: 'the hub no longer serves this version: upgrade the broker' },
  slow_consumer: { next: 'again', advice: 'frames were not read fast enough: look at load and network' },
  registry_unavailable: { next: 'again', advice: 'the hub cannot reach its database; it is tried again' },
};

const NO_WORD: Remedy = { next: 'again', advice: 'the link broke; it will be opened again' };

/** Where the hub has told its time, by which the next try goes. */
export const LEARNED_CLOCK: Remedy = {
  next: 'again',
  advice: "the clock of this machine is wrong: the hub's is gone by until it is set (NTP)",
};

/** By the close code of a link, known or not. */
export function remedyOfClose(code: number): Remedy {
  const reason = closeReason(code);
  return reason === undefined ? NO_WORD : REMEDIES[reason];
}

/** By a plain HTTP refusal, of the upgrade or of the token that goes before it. */
export function remedyOfRefusal({ status, code }: Pick<Refusal, 'status' | 'code'>): Remedy {
  switch (status) {
    case 401:
      return code === 'clock_skew'
        ? { next: 'slowly', advice: 'the clock of this machine is wrong: set it (NTP)' }
        : {
            next: 'renew',
            advice: 'the hub does not accept the credential of this broker: if it stays so, join again',
          };
    case 403:
      return REMEDIES.revoked;
    case 404:
      return { next: 'slowly', advice: 'there is no hub at this address: check the url' };
    case 426:
      return REMEDIES.version_refused;
    case 429:
      return {
        next: 'again',
        advice: 'the hub admits only so many at a time; it is tried again when it said',
      };
    default:
      return { next: 'again', advice: 'the hub cannot take the link just now; it is tried again' };
  }
}
