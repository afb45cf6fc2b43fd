const MINUTE_S = 60;
const HOUR_S = 60 * MINUTE_S;
const DAY_S = 24 * HOUR_S;

/** A span of seconds in its largest whole unit: `12s`, `3m`, `5h`, `2d`. Two clocks may differ: never negative. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < MINUTE_S) return `${whole}s`;
  if (whole < HOUR_S) return `${Math.floor(whole / MINUTE_S)}m`;
  if (whole < DAY_S) return `${Math.floor(whole / HOUR_S)}h`;
  return `${Math.floor(whole / DAY_S)}d`;
}

/** How long ago a time (RFC 3339) was; `-` for none. */
export function age(time: string | null, nowMs: number): string {
  return time === null ? '-' : span((nowMs - Date.parse(time)) / 1000);
}

/** How far off a time is: `in 5m`, or `2h ago` once it is past. What was just set to an hour reads `in 1h`. */
export function away(time: string, nowMs: number): string {
  const seconds = (Date.parse(time) - nowMs) / 1000;
  if (seconds < 0) return `${span(-seconds)} ago`;
  return `in ${span(seconds > MINUTE_S ? Math.ceil(seconds / MINUTE_S) * MINUTE_S : seconds)}`;
}
