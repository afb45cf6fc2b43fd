/** What is left of the pace where there was no room, and what comes back of the most where there is. */
const SLOWER_BY = 0.7;
const FASTER_BY = 0.1;
/** It does not fall below this part of the most: a fleet must be back within a time, however busy its hub. */
const LEAST_PART = 0.2;
/** Nor below so many a second, which no hub is too busy for. */
const LEAST = 50;

/** A rate that gives way fast where there is no room, and comes back step by step: as networks share a line. */
export class Pace {
  private current: number;
  private readonly least: number;

  /** @param most a second */
  constructor(private readonly most: number) {
    this.current = most;
    this.least = Math.min(most, Math.max(LEAST, most * LEAST_PART));
  }

  get perSecond(): number {
    return this.current;
  }

  get isFull(): boolean {
    return this.current === this.most;
  }

  adjust(isStrained: boolean): void {
    this.current = isStrained
      ? Math.max(this.least, this.current * SLOWER_BY)
      : Math.min(this.most, this.current + this.most * FASTER_BY);
  }
}
