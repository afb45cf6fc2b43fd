import { within } from '../lifecycle/within.js';

const ANSWERED_WITHIN_MS = 2_000;

/** What `work` gives, or nothing where that takes longer: whatever hangs, a drain ends in time. */
export async function by<T>(deadlineAt: number, work: Promise<T>): Promise<T | undefined> {
  return within(Math.max(0, deadlineAt - performance.now()), work);
}

/** What the database gives, or nothing where it takes longer than two seconds: a drain does not wait for one that hangs. */
export async function soon<T>(work: Promise<T>): Promise<T | undefined> {
  return within(ANSWERED_WITHIN_MS, work);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
