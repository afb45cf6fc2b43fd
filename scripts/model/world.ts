/**
 * Everything that decides what becomes of a few commands: their rows, one broker with its journal, the links between
 * it and the replicas with the frames that are on the way, and which faults may still strike. All of it is plain data, so that
 * two ways that lead to the same world are known to.
 */
import type { Contract, DispatchState } from '../../src/hub/dispatch/state.js';

/** What is to be known of how a command ended. All but `succeeded` and `unknown` say that it had no effect. */
export type Ending = 'succeeded' | 'failed' | 'cancelled' | 'expired' | 'dead' | 'unknown';

/** Under which connection a row was claimed, or is held since. */
export type Claim = { replica: number; epoch: number; journal: number };

export type Row = {
  state: DispatchState;
  attempt: number;
  failures: number;
  claim: Claim | null;
  /** The epoch of the one link that it may go out on; null where it may on any, or is not bound yet. */
  boundTo: number | null;
  /** Its caller asked for its cancel while it was out. */
  isGivenUp: boolean;
  isOverdue: boolean;
  ending: Ending | null;
  /** How often it ended. */
  endings: number;
};

/** What a broker says of an attempt; `retry` failed without effect in a way that may pass, `lost` was begun, and who knows. */
export type Outcome = 'succeeded' | 'retry' | 'failed' | 'cancelled' | 'lost';

/** What the broker's journal has of a command. */
export type Entry = {
  attempt: number;
  outcome: Outcome | null;
  /** By this life of the broker; what has neither this nor an outcome is lost. */
  isExecuting: boolean;
  hasEffect: boolean;
  isConfirmed: boolean;
};

export type Status = 'running' | 'lost' | 'ended';

export type Frame =
  | { t: 'dispatch' | 'cancel'; command: number; attempt: number }
  | { t: 'confirm'; command: number }
  /** Of a link that was held ready: it is wanted, and it is held under an epoch of its own. */
  | { t: 'promote' }
  | { t: 'welcome'; epoch: number }
  | { t: 'ack'; command: number; attempt: number }
  | { t: 'result'; command: number; attempt: number; outcome: Outcome }
  | { t: 'inventory'; entries: readonly ({ attempt: number; status: Status } | null)[] };

/** A broker's link with a replica; what is sent on it arrives in order, or not at all. */
export type Link = {
  replica: number;
  /** 0 for one that is held ready. */
  epoch: number;
  /** The epoch under which the broker knows it: it learns of a new one later. */
  welcomed: number;
  journal: number;
  /** The broker's inventory was taken: from here on work is claimed for it. */
  isReady: boolean;
  /** Its replica holds the broker no more, and closes it sooner or later. */
  isLetGo: boolean;
  down: Frame[];
  up: Frame[];
};

/** How often each fault, and each wish, may still come. */
export type Left = {
  moves: number;
  /** Second links that the broker holds ready. */
  standbys: number;
  /** Brokers that are let go of while their links are open. */
  lettings: number;
  cuts: number;
  replicaDeaths: number;
  brokerDeaths: number;
  journalLosses: number;
  cancels: number;
  deadlines: number;
  failures: number;
};

export type World = {
  /** By command, in the order of `seq`. All are accepted to begin with. */
  rows: Row[];
  effects: number[];
  journal: number;
  entries: (Entry | null)[];
  /** What the broker executes, in the order in which it came. */
  turns: number[];
  owner: { replica: number | null; epoch: number };
  /** The newest epoch that the broker was welcomed with. */
  welcomed: number;
  /** Oldest first. */
  links: Link[];
  /** Links whose end their replicas have seen, and not yet written down. */
  releases: { replica: number; epoch: number }[];
  left: Left;
};

/** What is explored: how many of what, and which faults, each so often. */
export type Scope = {
  name: string;
  replicas: number;
  /** The ordering key of each command; null for none. */
  keys: readonly (string | null)[];
  isRepeatable: boolean;
  /** Ops that know after a death of the broker how far they came, as those of agents do. */
  isRecoverable: boolean;
  contract: Contract;
  faults: Partial<Left>;
};

const NO_FAULTS: Left = {
  moves: 0,
  standbys: 0,
  lettings: 0,
  cuts: 0,
  replicaDeaths: 0,
  brokerDeaths: 0,
  journalLosses: 0,
  cancels: 0,
  deadlines: 0,
  failures: 0,
};

export function beginning({ keys, faults }: Scope): World {
  return {
    rows: keys.map(() => ({
      ...{ state: 'pending', attempt: 0, failures: 0, claim: null, boundTo: null },
      ...{ isGivenUp: false, isOverdue: false, ending: null, endings: 0 },
    })),
    effects: keys.map(() => 0),
    journal: 1,
    entries: keys.map(() => null),
    turns: [],
    owner: { replica: null, epoch: 0 },
    welcomed: 0,
    links: [],
    releases: [],
    left: { ...NO_FAULTS, ...faults },
  };
}

/** A world of its own to be changed. Frames never change, and are shared. */
export function copyOf(world: World): World {
  return {
    rows: world.rows.map((row) => ({ ...row })),
    effects: [...world.effects],
    journal: world.journal,
    entries: world.entries.map((entry) => entry && { ...entry }),
    turns: [...world.turns],
    owner: { ...world.owner },
    welcomed: world.welcomed,
    links: world.links.map((link) => ({ ...link, down: [...link.down], up: [...link.up] })),
    releases: [...world.releases],
    left: { ...world.left },
  };
}

/**
 * Puts a frame on its way, unless the same is there already: a repeat that arrives with what it repeats changes nothing, and
 * without this there would be no end of worlds.
 *
 * @returns whether it was put there
 */
export function put(queue: Frame[], frame: Frame): boolean {
  const text = JSON.stringify(frame);
  if (queue.some((other) => JSON.stringify(other) === text)) return false;
  queue.push(frame);
  return true;
}
