/** Seconds from one time of the database to another, in tenths; a time that is written while it is read is no future. */
export function ageS(time: Date, now: Date): number {
  return Math.max(0, Math.round((now.getTime() - time.getTime()) / 100) / 10);
}
