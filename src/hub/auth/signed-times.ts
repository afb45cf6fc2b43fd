/** When something that a broker has signed is good: from the one until the other, by the hub's clock. */
export type SignedTimes = { readonly issuedAtS: number; readonly expiresAtS: number };

export const LIVES_AT_MOST_S = 60;
/** For what is left between two clocks that were set by the same one, and for the way. */
const TOLERANCE_S = 5;

/** When nobody takes it any more, and its id may be forgotten. */
export function endOf({ expiresAtS }: SignedTimes): Date {
  return new Date((expiresAtS + TOLERANCE_S) * 1000);
}

/** Whether it was made by now and has not ended. */
export function isCurrent(times: SignedTimes, now: Date): boolean {
  const nowMs = now.getTime();
  return (times.issuedAtS - TOLERANCE_S) * 1000 <= nowMs && nowMs < endOf(times).getTime();
}
