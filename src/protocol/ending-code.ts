/**
 * Errors with which commands end, by their codes, as the hub and the broker of this project say them. Programs decide by the
 * code. An op that a broker has of its own may end with any other.
 */
export const ENDINGS = {
  args_invalid: {
    meaning: 'The arguments do not fit the op',
    remedy: 'Mend what the message names, and give a new command.',
  },
  op_unknown: {
    meaning: 'The broker does not know the op',
    remedy: 'Upgrade the broker, or use one that has the op among its capabilities: `fairlead brokers get`.',
  },
  op_failed: {
    meaning: 'The op broke off with an error that has no code',
    remedy:
      'See the message, and the log of the broker at that time; an op of its own is mended in its program.',
  },
  already_running: {
    meaning: 'The broker runs the agent already',
    remedy: 'Leave it, stop it, or replace it: `fairlead agents restart`.',
  },
  agent_not_running: {
    meaning: 'The agent does not run at this broker',
    remedy:
      'Start it: `fairlead agents start`; `fairlead agents get` shows where and since when it should run.',
  },
  agent_not_reading: {
    meaning: 'The agent takes no messages, or none any more',
    remedy: 'Give its spec `stdin` as `messages`, or start it again where its command has closed its input.',
  },
  start_failed: {
    meaning: 'The command of the agent could not be started',
    remedy:
      'See the message: program, folder and rights must be there for the user of the broker, on its machine.',
  },
  limit_refused: {
    meaning: "A limit of the agent's spec cannot be set on this machine",
    remedy:
      'Take that limit out of the spec, or use a broker whose machine has it; docs/concepts.md says how each is held.',
  },
  stop_failed: {
    meaning: 'The process of the agent did not end, even by SIGKILL',
    remedy:
      'Look at it on the machine of the broker: mostly it hangs in a disk that is gone. Stop the agent again then.',
  },
  result_too_large: {
    meaning: 'It was done, and its result has more than 256 KiB',
    remedy: 'Let the op answer less; what it did is done, so do not repeat it for the result alone.',
  },
  cancelled: {
    meaning: 'It was cancelled before it was done',
    remedy:
      'Where it is wanted after all, give it again: `fairlead dispatches redrive`, or of an agent by its verb.',
  },
  superseded: {
    meaning: 'A later command of its key took its place, as `latest_only` has it',
    remedy: 'Nothing is to be done. Where each one counts, use the contract `until`.',
  },
  broker_offline: {
    meaning: 'The link that it was bound to ended, or there was none',
    remedy: 'Give it again once the broker is connected, or with the contract `until`, which waits.',
  },
  deadline_passed: {
    meaning: 'Its deadline passed',
    remedy:
      'See in `fairlead dispatches trail` where the time went. With the effect `none` it may be redriven; with `unknown` look first what was done.',
  },
  seal_unopened: {
    meaning: 'No key of the hub opens its arguments',
    remedy:
      'Put the key that sealed them back into FAIRLEAD_SEAL_KEYS (`fairlead doctor`), then ask for it again: `fairlead agents start`.',
  },
  outcome_unknown: {
    meaning: 'It was begun, and nobody knows whether it was done',
    remedy: 'Look at what it was to bring about. Redrive it only where that may happen twice.',
  },
} as const satisfies Record<string, { meaning: string; remedy: string }>;

export type EndingCode = keyof typeof ENDINGS;
