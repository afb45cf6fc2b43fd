import { randomUUID } from 'node:crypto';
import { Dice } from '../fuzz/dice.js';

/** One command that a client gives at its time, whatever has become of those before. */
export type Command = {
  /** Milliseconds after the beginning. */
  dueMs: number;
  brokerId: string;
  orderingKey: string;
  /**
   * Its place among those of its key, where they are given in turn: each is asked for when the one before it was accepted,
   * so that their order is promised; null where nothing is promised, since they are asked for whenever they are due.
   */
  turn: number | null;
  /** Whether the client waits for the ending, and asks until it knows it. */
  waits: boolean;
  /** How long the broker takes before it does it. */
  takesMs: number;
  idempotencyKey: string;
  /** Known once it was accepted. */
  dispatchId?: string;
};

const WAITS = 0.5;
const SLOW = 0.06;
const SLOW_MOST_MS = 1_500;
type Key = { orderingKey: string; isInTurn: boolean };

/** Of each broker: keys of commands that are given in turn, and one of others. */
export const KEYS: readonly Key[] = [
  { orderingKey: 'turn-1', isInTurn: true },
  { orderingKey: 'turn-2', isInTurn: true },
  { orderingKey: 'loose', isInTurn: false },
];
/** Of each broker: those of commands that are given in batches. */
export const BULK_KEYS: readonly Key[] = Array.from({ length: 8 }, (_none, place) => ({
  orderingKey: `bulk-${place + 1}`,
  isInTurn: false,
}));

/** Of each broker: those of commands that need not succeed. */
export const MIX_KEYS: readonly Key[] = Array.from({ length: 4 }, (_none, place) => ({
  orderingKey: `mix-${place + 1}`,
  isInTurn: false,
}));
/** Each has chances of its own, so that one can be left out, and the others stay as they are. */
const STREAMS = [KEYS, BULK_KEYS, MIX_KEYS];

type Pair = { brokerId: string; orderingKey: string; isInTurn: boolean; turns: number };

/**
 * What one of several clients asks for, from the seed: times as chance spreads them at an even rate (a Poisson process),
 * fixed before anything is asked, so that a hub that is slow is not asked less. No two clients share an ordering key, but those of `--mix` whose later commands take the place of earlier ones.
 */
export class Arrivals {
  private readonly dice: Dice;
  private readonly pairs: Pair[];
  private dueMs = 0;

  constructor(
    seed: number,
    { client, clients, brokerIds }: { client: number; clients: number; brokerIds: readonly string[] },
    private readonly ratePerS: number,
    keys = KEYS,
  ) {
    this.dice = new Dice(seed * 131 + client + STREAMS.indexOf(keys) * clients);
    this.pairs = keys
      .flatMap((key) => brokerIds.map((brokerId) => ({ brokerId, ...key, turns: 0 })))
      .filter((_pair, place) => place % clients === client);
    if (this.pairs.length === 0) throw new Error('there are more clients than keys');
  }

  next(): Command {
    const { dice } = this;
    this.dueMs += (-Math.log(1 - dice.next()) * 1_000) / this.ratePerS;
    const [first, ...others] = this.pairs;
    if (first === undefined) throw new Error('there are more clients than keys');
    const pair = dice.pick([first, ...others]);
    const waits = dice.isLucky(WAITS);
    const takesMs = dice.isLucky(SLOW) ? dice.below(SLOW_MOST_MS) : 0;
    if (pair.isInTurn) pair.turns += 1;
    return {
      dueMs: this.dueMs,
      brokerId: pair.brokerId,
      orderingKey: pair.orderingKey,
      turn: pair.isInTurn ? pair.turns : null,
      waits,
      takesMs,
      idempotencyKey: randomUUID(),
    };
  }
}
