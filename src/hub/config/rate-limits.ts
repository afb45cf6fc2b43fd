/** What callers ask for, as far as it is limited. Each class has a limit of its own. */
export const LIMIT_CLASSES = [
  'read',
  'write',
  'agent',
  'login',
  'join',
  'token',
  'agent_token',
  'upgrade',
  'poll',
] as const;
export type LimitClass = (typeof LIMIT_CLASSES)[number];

/** What one caller may ask: so many at once, and so many a second in the long run. */
export type Limit = { readonly perS: number; readonly burst: number };

/** null: without a limit. */
export type RateLimits = Readonly<Record<LimitClass, Limit | null>>;

const MOST = 1_000_000;
/** A bucket that nobody asked for so long is full, and may be forgotten. */
export const FULL_AFTER_S = 600;

/**
 * Far above what a well-behaved caller asks. Those of `join`, `token` and `login` count what failed, by address: guesses, and not
 * fleets. `agent_token` bears a broker with 20,000 agents, each of which needs another token about every seven minutes.
 */
export const RATE_LIMITS: RateLimits = {
  read: { perS: 50_000, burst: 100_000 },
  write: { perS: 50_000, burst: 100_000 },
  agent: { perS: 20, burst: 100 },
  login: { perS: 1, burst: 60 },
  join: { perS: 5, burst: 500 },
  token: { perS: 5, burst: 500 },
  agent_token: { perS: 50, burst: 1_000 },
  upgrade: { perS: 20, burst: 1_000 },
  poll: { perS: 2_000, burst: 10_000 },
};

/** `off`, or `class=perSecond`, `class=perSecond:burst` and `class=off` with commas between; what is not named stays as it is. */
export function readRateLimits(text: string): { limits: RateLimits } | { rule: string } {
  if (text === 'off') {
    return { limits: Object.fromEntries(LIMIT_CLASSES.map((name) => [name, null])) as RateLimits };
  }
  const limits: Record<LimitClass, Limit | null> = { ...RATE_LIMITS };
  const seen = new Set<string>();
  for (const part of text.split(',')) {
    const [, name = '', told = ''] = /^ *([a-z_]+)=(off|\d{1,7}(?::\d{1,7})?) *$/.exec(part) ?? [];
    if (!isClass(name) || seen.has(name)) return { rule: RULE };
    seen.add(name);
    const limit = told === 'off' ? null : limitOf(told);
    if (limit === undefined) return { rule: RULE };
    limits[name] = limit;
  }
  return { limits };
}

const RULE =
  `must be off, or class=perSecond:burst with commas between, each class once (${LIMIT_CLASSES.join(', ')}), ` +
  `from 1 to ${MOST}, a burst of at least one second and at most ${FULL_AFTER_S}`;

function limitOf(text: string): Limit | undefined {
  const [perS = 0, burst = perS * 2] = text.split(':').map(Number);
  const isSound = perS >= 1 && perS <= MOST && burst >= perS && burst <= MOST && burst <= perS * FULL_AFTER_S;
  return isSound ? { perS, burst } : undefined;
}

function isClass(name: string): name is LimitClass {
  return (LIMIT_CLASSES as readonly string[]).includes(name);
}
