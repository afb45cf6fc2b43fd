/**
 * What goes wrong when, all of it from one seed. Faults come in six lanes that do not wait for each other, so that
 * faults of different kinds meet; within a lane one is over before the next begins. Each lane deals from a deck of all its
 * kinds, so that each comes round before any comes again: those that take long after the others, so that a short run has some of each.
 */
import { Dice } from '../fuzz/dice.js';
import { WAYS, type Way } from '../support/faulty-proxy.js';

/** Each kind: its lane, for how long it may last, and what it does. */
export const FAULT_KINDS = {
  replica_kill: { lane: 'replica', forMs: [500, 3_000], what: 'a replica is killed, and another started' },
  replica_drain: {
    lane: 'replica',
    forMs: [0, 0],
    what: 'a replica is replaced, as a rolling deploy does it',
  },
  replica_pause: { lane: 'replica', forMs: [7_000, 10_000], what: 'a replica is paused past its lease' },
  replica_clock: {
    lane: 'replica',
    forMs: [500, 1_000],
    what: 'a replica is killed, and one started whose clock is ten minutes off',
  },
  database_restart: { lane: 'database', forMs: [200, 1_500], what: 'the database is restarted' },
  database_crash: { lane: 'database', forMs: [200, 2_500], what: 'the database ends at once, and recovers' },
  database_read_only: { lane: 'database', forMs: [1_500, 4_000], what: 'the database takes no writes' },
  database_full: {
    lane: 'database',
    forMs: [1_500, 4_000],
    what: 'all places of the database are taken, and a replica has lost its own',
  },
  database_cut: { lane: 'database', forMs: [500, 3_000], what: 'a replica is cut off from the database' },
  database_half_open: {
    lane: 'database',
    forMs: [500, 3_000],
    what: 'the links of a replica to the database go silent',
  },
  database_stall: {
    lane: 'database',
    forMs: [1_000, 6_000],
    what: 'nothing passes to and from the database',
  },
  database_delay: { lane: 'database', forMs: [2_000, 6_000], what: 'the way to the database is long' },
  listen_ended: { lane: 'database', forMs: [0, 0], what: 'the sessions that listen are ended' },
  listen_silent: { lane: 'database', forMs: [0, 0], what: 'a session that listens hears nothing any more' },
  peer_cut: { lane: 'edge', forMs: [500, 3_000], what: 'replicas cannot reach one of them' },
  peer_half_open: {
    lane: 'edge',
    forMs: [500, 4_000],
    what: 'the links to a replica from the others go silent',
  },
  peer_delay: { lane: 'edge', forMs: [1_000, 4_000], what: 'the way between replicas is long' },
  broker_kill: { lane: 'edge', forMs: [200, 4_000], what: 'a broker is killed, and started again' },
  broker_journal_loss: {
    lane: 'edge',
    forMs: [200, 2_000],
    what: 'a broker is killed, and its journal is gone',
  },
  broker_clock: {
    lane: 'edge',
    forMs: [200, 1_000],
    what: 'a broker is killed, and started again with a clock that is ten minutes off',
  },
  broker_pause: { lane: 'edge', forMs: [2_000, 12_000], what: 'a broker is paused' },
  link_cut: { lane: 'edge', forMs: [0, 0], what: 'links of brokers are cut' },
  link_half_open: { lane: 'edge', forMs: [1_000, 8_000], what: 'links of brokers go silent' },
  link_delay: { lane: 'edge', forMs: [1_000, 4_000], what: 'the way to brokers is long' },
  link_stall: { lane: 'edge', forMs: [1_000, 6_000], what: 'nothing passes to and from brokers for a while' },
  client_cut: { lane: 'edge', forMs: [0, 0], what: 'connections of clients are cut' },
  client_half_open: { lane: 'edge', forMs: [500, 3_000], what: 'connections of clients go silent' },
  peer_stall: {
    lane: 'slow',
    forMs: [1_000, 5_000],
    what: 'nothing passes between replicas and one of them',
  },
  client_stall: {
    lane: 'slow',
    forMs: [1_000, 5_000],
    what: 'nothing passes to and from clients for a while',
  },
  client_delay: { lane: 'slow', forMs: [1_000, 4_000], what: 'the way to clients is long' },
  link_lost: {
    lane: 'slow',
    forMs: [50_000, 70_000],
    what: 'links of brokers go silent, and nobody is ever told',
  },
  broker_sleep: {
    lane: 'slow',
    forMs: [50_000, 70_000],
    what: 'a broker stands still for longer than its link holds, as on a laptop that sleeps',
  },
  broker_journal_damage: {
    lane: 'disk',
    forMs: [200, 2_000],
    what: 'a broker is killed, and its journal is cut short',
  },
  broker_disk_full: {
    lane: 'disk',
    forMs: [4_000, 9_000],
    what: 'a broker is killed, and started again on a disk that does not take all that its journal writes',
  },
  broker_restart: {
    lane: 'service',
    forMs: [200, 3_000],
    what: 'a broker is told to end, and started again, as an upgrade does it',
  },
} as const satisfies Record<string, { lane: string; forMs: readonly [number, number]; what: string }>;

export type FaultKind = keyof typeof FAULT_KINDS;
export type Lane = (typeof FAULT_KINDS)[FaultKind]['lane'];

export type Fault = {
  /** By which it can be left out: its place among those of the first three lanes, or of a later one, which have numbers of their own. */
  number: number;
  kind: FaultKind;
  atMs: number;
  forMs: number;
  /** From 0 to 1: which of those that it may strike. */
  pick: number;
  /** Directions that it strikes, where it is one of links. */
  ways: readonly Way[];
};

const KINDS = Object.keys(FAULT_KINDS) as FaultKind[];
export const LANES = [
  'replica',
  'database',
  'edge',
  'slow',
  'disk',
  'service',
] as const satisfies readonly Lane[];

/** What a fault takes beside its own time: a replica boots, a database recovers. */
const BESIDE_MS: Readonly<Record<Lane, number>> = {
  replica: 4_000,
  database: 500,
  edge: 0,
  slow: 0,
  disk: 4_000,
  service: 4_000,
};
/** Between two faults of a lane, so that some strike while all is well. */
const REST_MS: Readonly<Record<Lane, readonly [number, number]>> = {
  replica: [1_000, 6_000],
  database: [1_000, 5_000],
  edge: [300, 2_500],
  slow: [1_000, 5_000],
  disk: [4_000, 12_000],
  service: [4_000, 12_000],
};
const FIRST_MS = 2_000;
/** The last of the time has no faults: what they did is to heal while commands still come. */
const QUIET_MS = 4_000;

/** What lasts as long as this is dealt last. */
const LONG_MS = 30_000;
/** Of lanes that came later: the others keep theirs, by which what was found under a seed is told. No run of the longest has as many. */
export const NUMBERS_FROM: Readonly<Partial<Record<Lane, number>>> = {
  slow: 100_000,
  disk: 200_000,
  service: 300_000,
};

const BOTH: readonly Way[] = WAYS;

/**
 * @param calm how many times as long as usual a lane rests between two faults
 * @returns in the order of their times, which are those at which they are due at the earliest
 */
export function scheduleOf(seed: number, forMs: number, calm = 1): Fault[] {
  const faults = LANES.flatMap((lane, place) => laneOf(lane, new Dice(seed * 31 + place), forMs, calm));
  const counts = new Map<number, number>();
  return faults.sort(byTime).map((fault) => {
    const from = NUMBERS_FROM[FAULT_KINDS[fault.kind].lane] ?? 0;
    const place = counts.get(from) ?? 0;
    counts.set(from, place + 1);
    return { ...fault, number: from + place };
  });
}

const REPLACING: readonly FaultKind[] = ['replica_kill', 'replica_drain', 'replica_clock'];

/**
 * Without those that put another replica in the place of one from a third of the time on, so that it is seen whether they grow: by the half of it they
 * have grown into what they need.
 */
export function sparing(faults: readonly Fault[], forMs: number): Fault[] {
  return faults.filter(({ kind, atMs }) => atMs < forMs / 3 || !REPLACING.includes(kind));
}

const ENDING_ALL_SESSIONS: readonly FaultKind[] = ['database_restart', 'database_crash'];

/** Without those that end every session of the database, so that a transaction can be open for as long as commands come. */
export function holding(faults: readonly Fault[]): Fault[] {
  return faults.filter(({ kind }) => !ENDING_ALL_SESSIONS.includes(kind));
}

function byTime(one: Omit<Fault, 'number'>, other: Omit<Fault, 'number'>): number {
  return one.atMs - other.atMs || one.kind.localeCompare(other.kind);
}

function laneOf(lane: Lane, dice: Dice, forMs: number, calm: number): Omit<Fault, 'number'>[] {
  const kinds = KINDS.filter((kind) => FAULT_KINDS[kind].lane === lane);
  const faults: Omit<Fault, 'number'>[] = [];
  let deck: FaultKind[] = [];
  for (let atMs = FIRST_MS + dice.below(1_500); ;) {
    if (deck.length === 0) deck = deckOf(kinds, dice);
    const kind = deck.pop();
    if (kind === undefined) return faults;
    const lasts = between(dice, FAULT_KINDS[kind].forMs);
    const overMs = atMs + lasts + BESIDE_MS[lane];
    if (overMs > forMs - QUIET_MS) return faults;
    faults.push({
      kind,
      atMs,
      forMs: lasts,
      pick: dice.next(),
      ways: dice.pick([BOTH, BOTH, ['there'], ['back']]),
    });
    atMs = overMs + calm * between(dice, REST_MS[lane]);
  }
}

/** Dealt from its end. */
function deckOf(kinds: readonly FaultKind[], dice: Dice): FaultKind[] {
  const isLong = (kind: FaultKind) => FAULT_KINDS[kind].forMs[0] >= LONG_MS;
  const dealt = shuffled(kinds, dice);
  return [...dealt.filter(isLong), ...dealt.filter((kind) => !isLong(kind))];
}

function between(dice: Dice, [least, most]: readonly [number, number]): number {
  return least + dice.below(most - least + 1);
}

function shuffled<T>(items: readonly T[], dice: Dice): T[] {
  const left = [...items];
  const dealt: T[] = [];
  while (left.length > 0) dealt.push(...left.splice(dice.below(left.length), 1));
  return dealt;
}

/** One line of a schedule, as it is printed. */
export function lineOf({ number, kind, atMs, forMs, pick, ways }: Fault): string {
  const lasts = forMs > 0 ? ` for ${forMs} ms` : '';
  return `${String(number).padStart(4)}  ${(atMs / 1000).toFixed(1).padStart(7)} s  ${kind}${lasts} (pick ${pick.toFixed(3)}, ${ways.join('+')})`;
}
