/**
 * Everything outside that the command touches, so that a test can run it whole in its own process: what it reads
 * and writes, the environment it was given, time, and the two programs it can start.
 */
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type * as ConformanceProgram from '../conformance/main.js';
import type * as HubProgram from '../hub/main.js';
import type * as VerifyProgram from '../hub/verify/main.js';

export type Clock = {
  /** Milliseconds that only grow. */
  nowMs(): number;
  /** Ends early, and well, when the signal is given. */
  pause(ms: number, signal?: AbortSignal): Promise<void>;
};

/** What simulated brokers met with. */
export type LoadSummary = {
  count: number;
  joined: number;
  linked: number;
  allLinkedMs: number | null;
  linkMs: { p50: number | null; p99: number | null };
  reconnects: number;
  beats: number;
  commands: number;
  storms: { lost: number; relinkedMs: number | null }[];
  troubles: { trouble: string; times: number }[];
};

/** Brokers that a drill brings along, and what was done at them. */
export type Canaries = {
  brokerIds: readonly string[];
  /** The op that they know. */
  op: string;
  effects: readonly { note: string; brokerId: string; at: string }[];
  leave(): Promise<void>;
};

/** What this command needs of the broker; its entry point is held to it where it is loaded. */
export type BrokerProgram = {
  joinBroker: (options: {
    home: string;
    urls: string[];
    token: string;
    name?: string | undefined;
    labels?: Record<string, string> | undefined;
  }) => Promise<{ brokerId: string; name: string }>;
  loadBrokers: (options: {
    urls: readonly string[];
    token: string;
    count: number;
    ratePerS: number;
    seconds: number;
    untilStorm: boolean;
    signal: AbortSignal;
    onProgress: (line: string) => void;
  }) => Promise<LoadSummary>;
  startCanaries: (options: {
    urls: readonly string[];
    token: string;
    count: number;
    name: string;
  }) => Promise<Canaries>;
  /** The keys by their thumbprints. */
  rotateBrokerKey: (options: {
    home: string;
  }) => Promise<{ brokerId: string; name: string; key: string; formerKey: string }>;
  /** Resolves when the broker has ended, after the signal asked it to. */
  runBroker: (options: {
    home: string;
    stopAgents: boolean;
    standby: boolean;
    signal: AbortSignal;
  }) => Promise<void>;
};

/** Loaded when they are needed: most commands need none of them, and loading the hub takes a second. */
export type Programs = {
  hub(): Promise<
    Pick<
      typeof HubProgram,
      'runHub' | 'checkHub' | 'migrateHub' | 'forgetOld' | 'drainLocal' | 'examineHub' | 'copyHub'
    >
  >;
  broker(): Promise<BrokerProgram>;
  verify(): Promise<typeof VerifyProgram>;
  conformance(): Promise<typeof ConformanceProgram>;
};

export type Surroundings = {
  env: NodeJS.ProcessEnv;
  stdin: Readable & { isTTY?: boolean };
  stdout: Writable & { isTTY?: boolean };
  stderr: Writable & { isTTY?: boolean };
  clock: Clock;
  programs: Programs;
};

/** What `fairlead doctor` has found. */
export type Diagnosis = Awaited<ReturnType<Awaited<ReturnType<Programs['hub']>>['examineHub']>>;
export type FindingCode = Diagnosis['findings'][number]['code'];

const CLOCK: Clock = {
  nowMs: () => performance.now(),
  pause: async (ms, signal) => {
    await delay(ms, undefined, signal === undefined ? {} : { signal }).catch((error: unknown) => {
      if (signal?.aborted !== true) throw error;
    });
  },
};

const PROGRAMS: Programs = {
  hub: () => import('../hub/main.js'),
  broker: () => import('../broker/main.js'),
  verify: () => import('../hub/verify/main.js'),
  conformance: () => import('../conformance/main.js'),
};

/** The process itself, where nothing else is given; looking at its stdin opens it, so it is not looked at in vain. */
export function surroundingsOf(given: Partial<Surroundings>): Surroundings {
  return {
    env: given.env ?? process.env,
    stdin: given.stdin ?? process.stdin,
    stdout: given.stdout ?? process.stdout,
    stderr: given.stderr ?? process.stderr,
    clock: given.clock ?? CLOCK,
    programs: given.programs ?? PROGRAMS,
  };
}
