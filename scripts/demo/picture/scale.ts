const TICK_APART = 80;
const STEPS_MS = [50, 100, 200, 250, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000];

/** From times to places on a line, both in one direction. */
export class Scale {
  constructor(
    private readonly ms: { from: number; to: number },
    private readonly x: { from: number; to: number },
  ) {}

  /** @param at milliseconds; outside of the range it is moved to its edge */
  place(at: number): number {
    const { from, to } = this.ms;
    const part = (Math.min(Math.max(at, from), to) - from) / (to - from);
    return Math.round((this.x.from + part * (this.x.to - this.x.from)) * 10) / 10;
  }

  /** Round distances from zero, far enough apart to be told in words. */
  ticks(zero: number): { x: number; text: string }[] {
    const msOf = (TICK_APART * (this.ms.to - this.ms.from)) / (this.x.to - this.x.from);
    const step = STEPS_MS.find((each) => each >= msOf) ?? msOf;
    const ticks: { x: number; text: string }[] = [];
    for (let turn = Math.ceil((this.ms.from - zero) / step); zero + turn * step <= this.ms.to; turn += 1) {
      ticks.push({ x: this.place(zero + turn * step), text: secondsOf(turn * step) });
    }
    return ticks;
  }
}

function secondsOf(ms: number): string {
  const sign = ms === 0 ? '' : ms < 0 ? '−' : '+';
  return `${sign}${Math.abs(ms) / 1000} s`;
}
