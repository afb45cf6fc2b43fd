/** A step as its row keeps it. */
export type Step = {
  state: string;
  at: string;
  replica?: string;
  epoch?: number;
  attempt?: number;
  reason?: string;
};

const ENDED = ['succeeded', 'failed', 'cancelled', 'expired', 'dead'];

/** What may come after what. A running command is adopted as running by its next owner. */
const AFTER: Readonly<Record<string, readonly string[]>> = {
  pending: ['claimed', 'cancelled', 'expired'],
  claimed: ['running', 'pending', ...ENDED],
  running: ['running', 'pending', ...ENDED],
};

/** Where the trail of an ended dispatch breaks the promises: nothing, for a legal one. */
export function faultsOf(trail: readonly Step[]): string[] {
  const faults: string[] = [];
  if (trail[0]?.state !== 'pending') faults.push(`it begins as ${trail[0]?.state}`);
  const endings = trail.filter(({ state }) => ENDED.includes(state));
  if (endings.length !== 1) faults.push(`it has ${endings.length} endings`);
  for (const [index, step] of trail.entries()) {
    const before = trail[index - 1];
    if (before === undefined || step.state === 'late_result') continue;
    if (AFTER[before.state]?.includes(step.state) !== true)
      faults.push(`${before.state}, then ${step.state}`);
    if (Date.parse(step.at) < Date.parse(before.at))
      faults.push(`${step.state} is earlier than what it follows`);
  }
  if (!grows(trail.flatMap(({ attempt }) => attempt ?? []))) faults.push('an attempt goes back');
  if (!grows(trail.flatMap(({ epoch }) => epoch ?? []))) faults.push('an epoch goes back');
  const claims = trail.filter(({ state }) => state === 'claimed').map(({ attempt }) => attempt);
  if (claims.some((attempt, index) => attempt !== index + 1))
    faults.push(`claimed as attempts ${claims.join()}`);
  return faults;
}

function grows(numbers: readonly number[]): boolean {
  return numbers.every((number, index) => index === 0 || number >= (numbers[index - 1] ?? 0));
}
