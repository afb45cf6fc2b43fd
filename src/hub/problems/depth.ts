/** What no body of a request needs: whatever reads values within values by calling itself would run out of stack. */
export const DEEPEST = 100;

/** Whether values stand within values more than so many levels deep. Looks no further down than that. */
export function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  for (const member of Array.isArray(value) ? (value as unknown[]) : Object.values(value)) {
    if (isDeeperThan(member, levels - 1)) return true;
  }
  return false;
}
