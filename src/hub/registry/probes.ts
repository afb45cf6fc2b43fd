import { TIMES } from '../../protocol/limits.js';

/** How often a turn is due. */
export const PROBE_TURN_MS = 1_000;
const TURNS = TIMES.pingMs / PROBE_TURN_MS;

/** What is probed, and must have been greeted in time. */
export type Probed = { probe(): void; expireGreeting(): void };

/**
 * Sockets that are probed, each once in a ping interval. Each has its own turn from the moment at which it opens, one after another,
 * so that the pings of a fleet are spread over the interval, and those that come and go move no other: a socket that is probed sooner
 * is cut before its peer had the time that it has to answer, and one that is probed later is missed for longer.
 */
export class Probes<S extends Probed> implements Iterable<S> {
  private readonly turns = new Map<S, number>();
  private opened = 0;
  private turn = 0;

  add(socket: S): void {
    this.turns.set(socket, this.opened++ % TURNS);
  }

  delete(socket: S): void {
    this.turns.delete(socket);
  }

  [Symbol.iterator](): Iterator<S> {
    return this.turns.keys();
  }

  /** Probes those whose turn it is; that none is late with its hello is seen to in each. */
  takeTurn(): void {
    this.turn = (this.turn + 1) % TURNS;
    for (const [socket, turn] of this.turns) {
      socket.expireGreeting();
      if (turn === this.turn) socket.probe();
    }
  }
}
