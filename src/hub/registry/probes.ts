import { TIMES } from '../../protocol/limits.js';

/** How often a turn is due. */
export const PROBE_TURN_MS = 1_000;
const TURNS = TIMES.pingMs / PROBE_TURN_MS;
/** Of so many that were missed each is made up for; past it the process stood still, and heard no answers either. */
const MADE_UP_MOST = 3;

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

  /** @param turnedAt when the latest turn was due, by a clock of milliseconds that never goes back */
  constructor(private turnedAt = performance.now()) {}

  add(socket: S): void {
    this.turns.set(socket, this.opened++ % TURNS);
  }

  delete(socket: S): void {
    this.turns.delete(socket);
  }

  [Symbol.iterator](): Iterator<S> {
    return this.turns.keys();
  }

  /**
   * Takes the turns that are due. They are due by the clock, and not so long after one another: in three intervals, after which a
   * silent peer is let go of, there are 60, and where a busy process is late for each by a fifth of a second that comes to 12 s.
   */
  takeTurns(now: number): void {
    const due = Math.floor((now - this.turnedAt) / PROBE_TURN_MS);
    const stoodStill = due > MADE_UP_MOST;
    this.turnedAt = stoodStill ? now : this.turnedAt + due * PROBE_TURN_MS;
    for (let count = stoodStill ? 1 : due; count > 0; count -= 1) this.takeTurn();
  }

  /** Probes those whose turn it is; that none is late with its hello is seen to in each. */
  private takeTurn(): void {
    this.turn = (this.turn + 1) % TURNS;
    for (const [socket, turn] of this.turns) {
      socket.expireGreeting();
      if (turn === this.turn) socket.probe();
    }
  }
}
