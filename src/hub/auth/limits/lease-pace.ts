/** At most so many within a second, by whole seconds. */
export class LeasePace {
  private second = 0;
  private taken = 0;

  constructor(
    private readonly perS: number,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** @returns false where this second's are taken */
  take(): boolean {
    const second = Math.floor(this.nowMs() / 1_000);
    if (second !== this.second) {
      this.second = second;
      this.taken = 0;
    }
    this.taken += 1;
    return this.taken <= this.perS;
  }
}
