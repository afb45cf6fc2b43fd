/**
 * Time as a broker must judge it. A machine that slept wakes with a monotonic clock that may have stood still
 * and a wall clock that did not; a machine whose clock was set back has it the other way round. So every span
 * is measured by both clocks and the longer one counts.
 */
export type Clocks = { wallMs(): number; monotonicMs(): number };

export type Instant = { wallMs: number; monotonicMs: number };

export const systemClocks: Clocks = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };

export function instantOf(clocks: Clocks): Instant {
  return { wallMs: clocks.wallMs(), monotonicMs: clocks.monotonicMs() };
}

/** Milliseconds from one instant to another, by whichever clock saw more of them; never negative. */
export function elapsedMs(from: Instant, to: Instant): number {
  return Math.max(to.wallMs - from.wallMs, to.monotonicMs - from.monotonicMs, 0);
}

/** When a dispatch may no longer begin. The monotonic part is lost with the process that received it. */
export type Deadline = { wallMs: number; monotonicMs: number | null };

export function deadlineAfter(received: Instant, remainingMs: number): Deadline {
  return { wallMs: received.wallMs + remainingMs, monotonicMs: received.monotonicMs + remainingMs };
}

export function isPast(deadline: Deadline, now: Instant): boolean {
  return (
    now.wallMs >= deadline.wallMs ||
    (deadline.monotonicMs !== null && now.monotonicMs >= deadline.monotonicMs)
  );
}
