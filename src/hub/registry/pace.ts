/** What is left of the pace where there was no room, and what comes back of the most where there is. */
const SLOWER_BY = 0.7;
const FASTER_BY = 0.05;
/** What a fleet meets that comes at once: turns are promised by it, so it must be one that a small hub can keep. */
const FIRST_PART = 0.3;
/** It does not fall below this part of the most: a fleet must be back within a time, however busy its hub. */
const LEAST_PART = 0.1;
/** Nor below so many a second, which no hub is too busy for. */
const LEAST = 50;
/** Part of a look in what the pace usually is: some five seconds of them. */
const LOOK_PART = 0.05;

/**
 * A rate that begins low, rises step by step while more is asked for and there is room, and gives way fast where there
 * is none: as networks share a line. Where nothing more is asked for it comes back to what it was at first, since what there
 * was room for then says nothing of the next time.
 */
export class Pace {
  private current: number;
  private average: number;
  private isAsked = false;
  private readonly first: number;
  private readonly least: number;

  /** @param most a second */
  constructor(private readonly most: number) {
    this.first = Math.min(most, Math.max(LEAST, most * FIRST_PART));
    this.least = Math.min(most, Math.max(LEAST, most * LEAST_PART));
    this.current = this.first;
    this.average = this.first;
  }

  get perSecond(): number {
    return this.current;
  }

  /** What it was in the last seconds: what is promised by it is not put off for a moment's strain. */
  get usual(): number {
    return this.average;
  }

  /** More was asked for than it gives. */
  asked(): void {
    this.isAsked = true;
  }

  /** @returns whether it has just begun to give way */
  adjust(isStrained: boolean): boolean {
    const before = this.current;
    if (isStrained) this.current = Math.max(this.least, this.current * SLOWER_BY);
    else this.current = this.towards(this.isAsked ? this.most : this.first);
    this.isAsked = false;
    this.average += (this.current - this.average) * LOOK_PART;
    return before >= this.first && this.current < this.first;
  }

  /** One step nearer. */
  private towards(goal: number): number {
    const step = this.most * FASTER_BY;
    return this.current < goal ? Math.min(goal, this.current + step) : Math.max(goal, this.current - step);
  }
}
