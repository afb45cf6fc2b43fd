/** Turns are promised no farther ahead, or one broker that keeps asking would put off all others. */
const FARTHEST_S = 60;

/**
 * How many brokers a replica lets in within a second, and when those may come again that it does not.
 *
 * A bucket that holds the admissions of one second, and is filled as time passes. Whoever finds it empty is given a
 * turn: the turns lie as far apart as admissions do, behind one another, so that a fleet that comes at once comes back in
 * a row, and the answer is true while the pace holds. Turns that nobody comes for pass with time, as the bucket fills.
 */
export class AdmissionBudget {
  private available: number;
  /** Admissions that were promised and are not due yet. */
  private promised = 0;
  private filledAtMs: number;

  constructor(
    private readonly pace: { readonly perSecond: number; readonly usual: number; asked(): void },
    private readonly nowMs: () => number = () => performance.now(),
    private readonly random: () => number = Math.random,
  ) {
    this.available = pace.perSecond;
    this.filledAtMs = nowMs();
  }

  /** @returns undefined where one more is let in, else the whole seconds after which it may come again */
  take(): number | undefined {
    this.fill();
    if (this.available >= 1) {
      this.available -= 1;
      return undefined;
    }
    return this.turn();
  }

  /** @returns the whole seconds after which one that is not let in may come again */
  turn(): number {
    this.fill();
    this.pace.asked();
    const { usual } = this.pace;
    this.promised = Math.min(this.promised + 1, usual * FARTHEST_S);
    // Those of one second are spread over it and the next, since the header tells whole seconds.
    return Math.ceil(this.promised / usual) + (this.random() < 0.5 ? 0 : 1);
  }

  private fill(): void {
    const now = this.nowMs();
    const { perSecond } = this.pace;
    const gained = ((now - this.filledAtMs) / 1_000) * perSecond;
    this.filledAtMs = now;
    this.available = Math.min(perSecond, this.available + gained);
    this.promised = Math.max(0, this.promised - gained);
  }
}
