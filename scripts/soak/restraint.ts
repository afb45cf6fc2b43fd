import { setTimeout as rest } from 'node:timers/promises';

/** So much is asked of a hub even where it answers nothing, or it would not be known when it does again. */
const LEAST = 16;
/** For which a call that came to nothing keeps its place from the next one. */
const HELD_MS = 250;

/** What becomes of a call that was still waiting when all was over: the hub never heard of it. */
export const UNASKED = Symbol('unasked');

/**
 * How many calls a client has out at a time: one more for each that was answered, and half of them where one was not (after Chiu
 * and Jain, 1989). When a call is due does not depend on it, and what waits here counts as late. Clients without it
 * repeat all that was refused at once, which keeps a hub that was down, and is on the same processors, from ever coming up.
 */
export class Restraint {
  private out = 0;
  private allowed: number;
  private readonly waiting: ((isAsked: boolean) => void)[] = [];

  /** @param over from which on nothing more goes out */
  constructor(
    private readonly most: number,
    private readonly over: AbortSignal,
  ) {
    this.allowed = most;
    over.addEventListener('abort', () => {
      for (const end of this.waiting.splice(0)) end(false);
    });
  }

  /** @param isAnswered whether the hub did what it was asked */
  async call<T>(work: () => Promise<T>, isAnswered: (outcome: T) => boolean): Promise<T | typeof UNASKED> {
    if (this.over.aborted) return UNASKED;
    if (this.out < this.allowed) this.out += 1;
    else if (!(await new Promise<boolean>((resolve) => this.waiting.push(resolve)))) return UNASKED;
    const outcome = await work();
    if (isAnswered(outcome)) this.release(Math.min(this.most, this.allowed + 1));
    else void rest(HELD_MS).then(() => this.release(Math.max(LEAST, Math.floor(this.allowed / 2))));
    return outcome;
  }

  private release(allowed: number): void {
    this.out -= 1;
    this.allowed = allowed;
    while (this.out < allowed) {
      const next = this.waiting.shift();
      if (next === undefined) return;
      this.out += 1;
      next(true);
    }
  }
}
