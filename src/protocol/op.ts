/**
 * The ops a command may ask a broker for: their arguments and their result bodies. What an op promises about
 * repetition is part of its contract, since both sides act on it.
 *
 * Beside those of the table there are ops of one's own: of brokers that others have built, under names of their choice.
 */

import { LIMITS } from './limits.js';

/** How a process is to be run. */
export type ProcessSpec = {
  command: string;
  args: string[];
  /** Working directory; null for a folder of the agent's own below the broker's data directory. */
  directory: string | null;
  environment: Record<string, string>;
  limits: ProcessLimits;
  restart: RestartPolicy;
  /** Left out: `closed`, as in orders from before there was a choice. */
  stdin?: Stdin;
};

export const STDINS = ['closed', 'messages'] as const;

/**
 * What a command reads on its standard input: nothing at all, or one line of JSON for each message. Not every command
 * may be given an open one: many read theirs to its end before they do anything.
 */
export type Stdin = (typeof STDINS)[number];

/** Who sent a message. */
export type Sender = { kind: 'person' | 'hub'; id: string; name: string };

/** What an agent gets to read, as one line of JSON. */
export type Message = { id: string; from: Sender; text: string; sentAt: string };

/**
 * null means not limited. Each ends what exceeds it. Those of each process are the kernel's; those of all its
 * processes together are looked at once a second, and hold for the process group that the command leads.
 */
export type ProcessLimits = {
  /** Virtual memory of each of its processes, MiB. */
  memoryMb: number | null;
  /** Memory that all its processes hold together, MiB. */
  residentMb: number | null;
  /** Processes at a time. */
  processes: number | null;
  /** Files that each of its processes may hold open. */
  openFiles: number | null;
  /** Processor time of each of its processes. */
  cpuSeconds: number | null;
  /** Time of a run with all its restarts, in seconds, after which it is over for good and counted as failed. */
  wallSeconds: number | null;
  /** What a run may write with all its restarts, MiB, after which it is over for good and counted as failed. */
  outputMb: number | null;
};

export const RESTART_POLICIES = ['never', 'on-failure', 'always'] as const;

/** When the command of a run is started again after it has ended, though nobody asked it to stop. */
export type RestartPolicy = {
  /** `on-failure`: unless it ended with exit code 0. */
  policy: (typeof RESTART_POLICIES)[number];
  /** Restarts within the window of RESTARTS; a command that ends once more has failed for good. */
  maxRestarts: number;
};

/** What goes for every policy. The backoff is exponential with full jitter. */
export const RESTARTS = {
  maxDefault: 10,
  maxMost: 1_000,
  windowMs: 600_000,
  baseMs: 1_000,
  capMs: 60_000,
  /** A command that ran for this long was well: the next backoff begins anew. */
  healthyMs: 60_000,
} as const;

export const NO_RESTART: RestartPolicy = { policy: 'never', maxRestarts: RESTARTS.maxDefault };

export const RUN_STATES = ['starting', 'running', 'stopping', 'ended', 'vanished'] as const;

/** How an agent's latest run is, as its broker sees it. */
export type Inspection = {
  runId: string;
  /** `vanished`: it is over, and nobody was there to see how. */
  state: (typeof RUN_STATES)[number];
  /** Of the command that was started last; null where none was. */
  pid: number | null;
  /** RFC 3339, by the broker's clock. */
  startedAt: string | null;
  restarts: number;
  exitCode: number | null;
  detail: string | null;
  /** Whether its supervisor lives. */
  isSupervised: boolean;
  stdin: Stdin;
  /** Names alone: values may be secrets. */
  environment: string[];
  limits: ProcessLimits;
  /** What is kept of its output, the newest file first. */
  output: { files: { name: string; bytes: number }[]; bytes: number };
};

export type OpArgs = {
  'broker.ping': Record<string, never>;
  'agent.start': { agentId: string; name: string; runId: string; spec: ProcessSpec };
  'agent.stop': { agentId: string; runId: string; graceMs: number };
  'agent.restart': {
    agentId: string;
    name: string;
    /** The run to stop first; null where none was ever started. */
    fromRunId: string | null;
    runId: string;
    spec: ProcessSpec;
    graceMs: number;
  };
  'agent.delete': { agentId: string; runId: string | null; graceMs: number };
  'agent.logs': { agentId: string; lines: number };
  'agent.message': { agentId: string; message: Message };
  'agent.inspect': { agentId: string };
};

export type OpBody = {
  'broker.ping': { time: string };
  'agent.start': { runId: string; pid: number };
  'agent.stop': { runId: string; exitCode: number | null };
  'agent.restart': { runId: string; pid: number };
  'agent.delete': Record<string, never>;
  'agent.logs': { lines: string[]; truncated: boolean };
  /** The run whose command was given it: every byte is in its pipe, which says nothing of its reading. */
  'agent.message': { runId: string };
  'agent.inspect': Inspection;
};

export type Op = keyof OpArgs;

export type OpContract = {
  /** May be done again from the start when nobody knows whether it was begun. */
  repeatable: boolean;
  /**
   * How long it keeps later commands of its ordering key waiting: until its result, or only until the broker holds
   * it in its journal, from where the broker itself keeps the order.
   */
  holds: 'result' | 'ack';
  /**
   * How a caller waits for its end: as long as it asked for, or only while something is heard of it. `rolling` is for
   * ops that may take long.
   */
  wait: 'fixed' | 'rolling';
  /** Fields of the arguments, as dotted paths, that the hub seals wherever it keeps them. */
  secrets: readonly string[];
  /** What a broker must announce in its hello to be given the op; null where every broker has it. */
  capability: string | null;
};

export const OPS: Readonly<Record<Op, OpContract>> = {
  'broker.ping': { repeatable: true, holds: 'result', wait: 'fixed', secrets: [], capability: null },
  'agent.start': {
    repeatable: false,
    holds: 'result',
    wait: 'rolling',
    secrets: ['spec.environment'],
    capability: 'runtime.process',
  },
  'agent.stop': {
    repeatable: true,
    holds: 'result',
    wait: 'fixed',
    secrets: [],
    capability: 'runtime.process',
  },
  'agent.restart': {
    repeatable: false,
    holds: 'result',
    wait: 'rolling',
    secrets: ['spec.environment'],
    capability: 'runtime.process',
  },
  'agent.delete': {
    repeatable: true,
    holds: 'result',
    wait: 'fixed',
    secrets: [],
    capability: 'runtime.process',
  },
  'agent.logs': {
    repeatable: true,
    holds: 'result',
    wait: 'fixed',
    secrets: [],
    capability: 'runtime.process',
  },
  'agent.message': {
    repeatable: false,
    holds: 'ack',
    wait: 'rolling',
    secrets: [],
    capability: 'runtime.process',
  },
  'agent.inspect': {
    repeatable: true,
    holds: 'result',
    wait: 'fixed',
    secrets: [],
    capability: 'runtime.process',
  },
};

/** Under a word that the hub never uses, so that neither an op nor a capability of a later release means another thing. */
export const OWN_OP = /^x(?:\.[a-z][a-z0-9_-]*)+$/;

/** Whether it may name an op of one's own, which is also the capability of the brokers that have it. */
export function isOwnOp(name: string): boolean {
  return name.length <= LIMITS.labelLength && OWN_OP.test(name);
}

/**
 * What goes for every op of one's own. Nobody but its broker knows what it does, so it is never done again where nobody
 * knows whether it was begun; and it goes to no broker that has not announced it.
 */
export function ownContract(name: string): OpContract {
  return { repeatable: false, holds: 'result', wait: 'fixed', secrets: [], capability: name };
}

/** What goes for an op, be it of the table or of one's own. */
export function contractOf(op: Op): OpContract {
  return isOwnOp(op) ? ownContract(op) : OPS[op];
}

/** Ops that let go of their ordering key once the broker's journal holds them. */
export const OPS_HELD_TO_ACK: readonly string[] = Object.entries(OPS)
  .filter(([, { holds }]) => holds === 'ack')
  .map(([op]) => op);

/** Ops that only ask for data: a broker that is read-only in a project is still given them. */
export const OPS_THAT_ASK: readonly Op[] = ['broker.ping', 'agent.logs', 'agent.inspect'];

/** Whether there may be such an op. One of one's own counts as an `Op`, though its arguments have no type here. */
export function isOp(name: string): name is Op {
  return Object.hasOwn(OPS, name) || isOwnOp(name);
}
