import { contractOf, isOp, OPS_HELD_TO_ACK } from '../../protocol/op.js';
import { UNACKED_BYTES_MOST } from './unacked.js';
import { LINK_BOUND, type Contract, type DispatchState } from './state.js';

/** What a command waits for, in the order in which the causes are looked for: the first that holds is the one. */
export const CAUSES = [
  'ended',
  'broker_unknown',
  'broker_revoked',
  'cancelling',
  'running',
  'backoff',
  'not_before',
  'broker_offline',
  'broker_unreachable',
  'capability_missing',
  'draining',
  'inventory_due',
  'held_by_order',
  'window_full',
  'unacknowledged',
  'next',
] as const;
export type Cause = (typeof CAUSES)[number];

/** One command and everything around it that decides when it goes on, all of one moment. */
export type Circumstances = {
  id: string;
  state: DispatchState;
  op: string;
  attempt: number;
  failures: number;
  contract: Contract;
  orderingKey: string | null;
  notBefore: Date | null;
  retryAt: Date | null;
  deadlineAt: Date;
  cancelRequestedAt: Date | null;
  claimedAt: Date | null;
  createdAt: Date;
  endedAt: Date | null;
  errorCode: string | null;
  /** The database's time. */
  now: Date;
  brokerName: string | null;
  revokedAt: Date | null;
  capabilities: string[] | null;
  holderId: string | null;
  holderName: string | null;
  holderState: string | null;
  holderSeenAt: Date | null;
  epoch: number | null;
  /** The latest link whose inventory was taken. */
  readyEpoch: number | null;
  heldSince: Date | null;
  releasedAt: Date | null;
  releaseReason: string | null;
  windowSize: number | null;
  /** Of the project that it belongs to; null for none. It was judged by that when it was accepted, and is no more. */
  projectName: string | null;
  attachment: string | null;
  attachmentChangedAt: Date | null;
  isReadOnly: boolean;
  presence: string | null;
  brokerSeenAt: Date | null;
  position: number;
  unacked: number;
  /** Of the arguments of those, and of its own; what is stored compressed counts as the most that it may be. */
  unackedBytes: number;
  argsBytes: number;
  blockerId: string | null;
  blockerState: DispatchState | null;
  blockerOp: string | null;
  blockerSince: Date | null;
};

export type Why = {
  cause: Cause;
  /** What is the case. */
  explanation: string;
  /** What makes it go on, or what somebody can do. */
  unblocks: string;
};

/** The one cause that keeps a command from going on now. */
export function causeOf(about: Circumstances): Cause {
  const { state, now, presence, holderState, windowSize } = about;
  const isAhead = (time: Date | null) => time !== null && time > now;
  if (about.endedAt !== null) return 'ended';
  if (about.brokerName === null) return 'broker_unknown';
  if (about.revokedAt !== null) return 'broker_revoked';
  if (about.cancelRequestedAt !== null) return 'cancelling';
  if (state === 'running' && about.holderId === null) return 'broker_offline';
  if (state === 'running') return presence === 'unreachable' ? 'broker_unreachable' : 'running';
  if (state === 'pending' && isAhead(about.retryAt)) return 'backoff';
  if (state === 'pending' && isAhead(about.notBefore)) return 'not_before';
  if (about.holderId === null) return presence === 'unreachable' ? 'broker_unreachable' : 'broker_offline';
  if (presence === 'unreachable') return 'broker_unreachable';
  // More are claimed than the window takes where they were claimed ahead: some of them lie with the owner.
  if (state === 'claimed')
    return windowSize !== null && about.unacked > windowSize ? 'window_full' : 'unacknowledged';
  if (!isCapable(about)) return 'capability_missing';
  // A broker that moves tells its inventory where it goes.
  if (about.readyEpoch !== about.epoch) return holderState === 'draining' ? 'draining' : 'inventory_due';
  if (about.blockerId !== null) return 'held_by_order';
  if (windowSize !== null && about.unacked >= windowSize) return 'window_full';
  if (about.unackedBytes + about.argsBytes > UNACKED_BYTES_MOST) return 'window_full';
  return holderState === 'draining' ? 'draining' : 'next';
}

/** The cause in words, and what would unblock it. */
export function explain(about: Circumstances): Why {
  const cause = causeOf(about);
  return { cause, ...WORDS[cause](about) };
}

const OFFLINE = {
  pending: 'The broker is not connected',
  claimed: 'It was claimed to be sent, and whether the broker has it is not known while it is not connected',
  running: 'The broker has it, and is not connected',
} as const;

const WORDS: Readonly<Record<Cause, (about: Circumstances) => Omit<Why, 'cause'>>> = {
  ended: ({ state, errorCode }) => ({
    explanation: errorCode === null ? `It has ended: ${state}.` : `It has ended: ${state}, ${errorCode}.`,
    unblocks: 'Nothing is left to do. Its trail tells how it came to that.',
  }),
  broker_unknown: () => ({
    explanation: 'There is no such broker any more.',
    unblocks: 'Nothing: it expires at its deadline.',
  }),
  broker_revoked: () => ({
    explanation: 'The broker was revoked, and cannot connect.',
    unblocks: 'Nothing: it expires at its deadline. Cancel it, or give it to another broker.',
  }),
  cancelling: ({ holderId, epoch, readyEpoch }) => ({
    explanation:
      holderId === null
        ? 'It is to be cancelled, and the broker that has it is not connected.'
        : epoch === readyEpoch
          ? 'It is to be cancelled, and the broker is asked to stop it.'
          : 'It is to be cancelled, and the broker is asked to stop it when its inventory says that it has it.',
    unblocks: "The broker's answer; without one it expires 30 s after its deadline.",
  }),
  running: ({ now, deadlineAt }) => ({
    explanation:
      now < deadlineAt
        ? 'The broker has it and has not told the outcome yet.'
        : 'The broker has it and has not told the outcome yet, and its deadline has passed.',
    unblocks:
      now < deadlineAt
        ? "The broker's result."
        : "The broker's result; without one it expires 30 s after its deadline.",
  }),
  backoff: ({ failures, retryAt }) => ({
    explanation: `It failed ${failures === 1 ? 'once' : `${failures} times`} in a way that may pass, and rests until ${timeOf(retryAt)}.`,
    unblocks: 'Time: it goes out again by itself.',
  }),
  not_before: ({ notBefore }) => ({
    explanation: `Its caller wants it not to be sent before ${timeOf(notBefore)}.`,
    unblocks: 'Time: it goes out by itself.',
  }),
  broker_offline: ({ state, contract, releasedAt, releaseReason }) => ({
    explanation:
      OFFLINE[state === 'running' || state === 'claimed' ? state : 'pending'] +
      (releasedAt === null
        ? '.'
        : ` since ${timeOf(releasedAt)}${releaseReason === null ? '' : ` (${releaseReason})`}.`),
    unblocks:
      'The broker connects: see that its machine is awake and `fairlead broker start` runs there.' +
      (state === 'pending' && LINK_BOUND.includes(contract)
        ? ' It goes out on that link, or fails with it.'
        : ''),
  }),
  broker_unreachable: ({ brokerSeenAt }) => ({
    explanation: `Nothing was heard of the broker since ${timeOf(brokerSeenAt)}.`,
    unblocks: 'The broker connects again: see its machine and its network.',
  }),
  capability_missing: ({ op }) => ({
    explanation: `The broker is not capable of ${op}.`,
    unblocks: 'Upgrade the broker: it is sent when the broker announces the capability.',
  }),
  draining: ({ holderName }) => ({
    explanation: `The replica that holds the broker (${holderName ?? 'unknown'}) is going away, and the broker moves.`,
    unblocks: 'The move, which takes seconds.',
  }),
  inventory_due: () => ({
    explanation: 'The broker has connected, and has not told yet what it has begun before.',
    unblocks: 'Its inventory, which takes moments; without it nothing is sent on this link.',
  }),
  held_by_order: ({ blockerId, blockerOp, blockerState, orderingKey }) => ({
    explanation: `Another command of its ordering key ${orderingKey ?? ''} comes first: ${blockerOp ?? ''} ${blockerId ?? ''}, which is ${blockerState ?? 'live'}.`,
    unblocks: `That one ${isHeldToAck(blockerOp) ? 'is acknowledged, or ends' : 'ends'}: see \`fairlead why ${blockerId ?? ''}\`.`,
  }),
  window_full: ({ unacked, unackedBytes, windowSize }) => ({
    explanation:
      windowSize !== null && unacked >= windowSize
        ? `The broker has not yet acknowledged at least ${unacked} commands, and takes at most ${windowSize} at a time.`
        : `The broker has not yet acknowledged ${unackedBytes} bytes of arguments, and is given at most ${UNACKED_BYTES_MOST} at a time.`,
    unblocks: 'Acknowledgements of the broker.',
  }),
  unacknowledged: ({ claimedAt }) => ({
    explanation: `It was claimed to be sent at ${timeOf(claimedAt)}, and the broker has not said yet that it has it.`,
    unblocks:
      "The broker's acknowledgement; what was sent is sent again every 10 s, and judged anew on the broker's next link.",
  }),
  next: () => ({
    explanation: 'Nothing is in its way: it is about to be sent.',
    unblocks: 'Nothing is needed.',
  }),
};

function isCapable({ op, capabilities }: Circumstances): boolean {
  const capability = isOp(op) ? contractOf(op).capability : null;
  return capability === null || capabilities === null || capabilities.includes(capability);
}

function isHeldToAck(op: string | null): boolean {
  return op !== null && OPS_HELD_TO_ACK.includes(op);
}

function timeOf(time: Date | null): string {
  return time === null ? 'an unknown time' : time.toISOString();
}
