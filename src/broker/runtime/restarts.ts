import { RESTARTS, type RestartPolicy } from '../../protocol/op.js';
import { fullJitterMs } from '../connection/backoff.js';

/** What comes of a command that ended though nobody asked it to stop. */
export type Verdict =
  | { kind: 'over' }
  /** It has been restarted as often as its policy allows. */
  | { kind: 'gave_up' }
  | { kind: 'again'; afterMs: number };

/** @param inARow restarts since the command was last well */
export type BackoffMs = (inARow: number) => number;

export const backoffMs: BackoffMs = (inARow) =>
  fullJitterMs(inARow, RESTARTS.baseMs, RESTARTS.capMs, Math.random);

/** Judges each end of one run's command. The instants are those of a clock that nobody sets. */
export class Restarts {
  /** When the restarts within the window were decided, oldest first. */
  #recent: number[] = [];
  #inARow = 0;

  constructor(
    private readonly policy: RestartPolicy,
    private readonly backoff: BackoffMs = backoffMs,
  ) {}

  judge({ isFailure, ranMs }: { isFailure: boolean; ranMs: number }, nowMs: number): Verdict {
    const { policy, maxRestarts } = this.policy;
    if (policy === 'never' || (policy === 'on-failure' && !isFailure)) return { kind: 'over' };
    this.#recent = this.#recent.filter((at) => nowMs - at < RESTARTS.windowMs);
    if (this.#recent.length >= maxRestarts) return { kind: 'gave_up' };
    this.#recent.push(nowMs);
    if (ranMs >= RESTARTS.healthyMs) this.#inARow = 0;
    const afterMs = this.backoff(this.#inARow);
    this.#inARow += 1;
    return { kind: 'again', afterMs };
  }
}
