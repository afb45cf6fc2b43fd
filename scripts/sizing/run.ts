/** What a benchmark wrote of a run (`bench/main.mjs`), as far as a page tells it. */
export type Run = {
  /** A day or a time, in the form of ISO 8601. */
  measuredAt: string;
  /** null where nobody knows any more. */
  commit: string | null;
  machine: { cpu: string; cores: number; node: string; postgres: string };
};

export type Spread = { median: number; low: number; high: number };
type Row = { side: string; inFlight: number; p50Ms: number; p99Ms: number; perSecondSpread: Spread };

export type RunOf = {
  dispatch: Run & { rows: Row[] };
  http: Run & { rows: Row[] };
  brokers: Run & {
    /** Bytes of the process for each broker. */
    rows: { size: number; fairleadRss: Spread }[];
    statements: { brokers: number; perSecond: number[]; median: number }[];
  };
  storm: Run & { brokers: number; ownedMs: number; apiP99Ms: number };
};

export type Scenario = keyof RunOf;
export const SCENARIOS = ['dispatch', 'http', 'brokers', 'storm'] as const satisfies readonly Scenario[];

/** What is kept is no run of the scenario that sizes may be told by. */
export class RunRefused extends Error {
  constructor(scenario: Scenario, what: string) {
    super(`bench/results/${scenario}.json: ${what}`);
    this.name = 'RunRefused';
  }
}

/** @throws RunRefused for another scenario, a quick run, and one that does not say where and when it was made */
export function readRun<S extends Scenario>(scenario: S, text: string): RunOf[S] {
  const run = JSON.parse(text) as Partial<Run> & { scenario?: unknown; isQuick?: unknown };
  if (run.scenario !== scenario) throw new RunRefused(scenario, `it is a run of ${String(run.scenario)}`);
  if (run.isQuick !== false) throw new RunRefused(scenario, 'a quick run is none to go by');
  if (run.machine === undefined || !/^\d{4}-\d\d-\d\d/.test(run.measuredAt ?? ''))
    throw new RunRefused(scenario, 'it does not say on which machine and when it was made');
  return run as unknown as RunOf[S];
}
