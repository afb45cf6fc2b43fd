/**
 * Exponential backoff with full jitter: the wait before attempt n is even between nothing and
 * min(cap, base * 2^n). Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 *
 * @param attempt failed attempts so far in this row; 0 gives the quick first retry
 * @param random in [0, 1)
 */
export function fullJitterMs(attempt: number, baseMs: number, capMs: number, random: () => number): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
}

/** A slow wait for what will not mend itself soon: between the whole span and twice that. */
export function slowJitterMs(spanMs: number, random: () => number): number {
  return spanMs + random() * spanMs;
}

/** Time to the next heartbeat: early by up to half an interval or 30 s, never late. */
export function heartbeatDelayMs(intervalMs: number, random: () => number): number {
  return intervalMs - random() * Math.min(intervalMs / 2, 30_000);
}
