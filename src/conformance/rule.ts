/**
 * A rule of docs/control-channel.md, and what it comes to for one peer. A rule is tried on a stage, which is the other end
 * of the channel: it resolves where the rule holds, and throws what it saw instead.
 */

export type Rule<S> = {
  /** Never given to another rule: scripts name it. */
  id: string;
  /** What the peer does, in one sentence. */
  says: string;
  /** The heading of docs/control-channel.md under which it stands. */
  where: string;
  /** Whether it takes ten seconds and more. */
  isLong?: boolean;
  check: (stage: S) => Promise<void>;
};

export type Verdict = Pick<Rule<never>, 'id' | 'says' | 'where'> &
  (
    | { verdict: 'held' }
    | { verdict: 'broken'; expected: string; seen: string }
    | { verdict: 'skipped'; why: string }
  );

/** The peer did something else than the rule says. */
export class Broken extends Error {
  constructor(
    readonly expected: string,
    readonly seen: string,
  ) {
    super(`expected ${expected}; seen: ${seen}`);
    this.name = 'Broken';
  }
}

/** The rule could not be tried here. */
export class Skipped extends Error {
  constructor(readonly why: string) {
    super(why);
    this.name = 'Skipped';
  }
}

/** @throws Broken unless it holds */
export function hold(holds: boolean, expected: string, seen: unknown): void {
  if (!holds) throw new Broken(expected, typeof seen === 'string' ? seen : shown(seen));
}

/** A value as a report shows it: on one line, and not endless. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 300 ? `${text.slice(0, 300)}...` : text;
}

export type Trying = {
  /** Ends it, whatever is waited for. */
  signal: AbortSignal;
  /** Told of each verdict as soon as it is there. */
  onVerdict: (verdict: Verdict) => void;
  /** Puts the peer in order again, after a rule that it broke. */
  onBroken: () => Promise<void>;
};

/**
 * Tries rules one after another; a fault of the peer that keeps a rule from being tried at all is its own.
 */
export async function tryRules<S>(
  rules: readonly Rule<S>[],
  stage: S,
  { signal, onVerdict, onBroken }: Trying,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  const over = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  for (const rule of rules) {
    const verdict = await Promise.race([tryRule(rule, stage), over]);
    if (verdict === undefined) break;
    verdicts.push(verdict);
    onVerdict(verdict);
    if (verdict.verdict === 'broken') await Promise.race([onBroken(), over]);
  }
  return verdicts;
}

async function tryRule<S>(rule: Rule<S>, stage: S): Promise<Verdict> {
  const { id, says, where } = rule;
  try {
    await rule.check(stage);
    return { id, says, where, verdict: 'held' };
  } catch (error) {
    if (error instanceof Skipped) return { id, says, where, verdict: 'skipped', why: error.why };
    if (error instanceof Broken)
      return { id, says, where, verdict: 'broken', expected: error.expected, seen: error.seen };
    throw error;
  }
}
