import { within } from '../lifecycle/within.js';

/** What `work` gives, or nothing where that takes longer: whatever hangs, a drain ends in time. */
export async function by<T>(deadlineAt: number, work: Promise<T>): Promise<T | undefined> {
  return within(Math.max(0, deadlineAt - performance.now()), work);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
