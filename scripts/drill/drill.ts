import { setTimeout as rest } from 'node:timers/promises';
import { DrillCluster } from './cluster.js';
import { Evidence, figuresOf, spread, type Figures } from './figures.js';
import { Fleet } from './fleet.js';
import { Load } from './load.js';

export type Options = { replicas: number; brokers: number; rate: number };
/** What one act came to: what it did, and the milliseconds without an owner of the brokers that it moved. */
export type ActFigures = { ms: number; moves: number; gapMs: Figures['gapMs']; steps: object[] };
export type Outcome = Options &
  Figures & {
    drill: string;
    ok: boolean;
    ms: number;
    acts: Record<string, ActFigures>;
    reports: { clean: number; judged: number; drains: number };
  };

/** What a drill does to the hub while commands go on. @returns what is told of its steps */
export type Act = (stage: Stage) => Promise<object[]>;
export type Stage = {
  cluster: DrillCluster;
  evidence: Evidence;
  say: (line: string) => void;
};

export type Drill = {
  name: string;
  /** One after another, on the same hub. */
  acts: Readonly<Record<string, Act>>;
  env: Record<string, string>;
  /** Whether calls may go unanswered on the way, and be repeated. */
  mayRefuse: boolean;
  /** The longest time without an owner that is still good, for 99 of 100 moves. */
  gapMs: number;
};

const WARM_MS = 2_000;
const SETTLED_WITHIN_MS = 60_000;
const LOOK_MS = 200;

/** One drill from its first process to its last: a cluster and brokers of its own, commands, a fault, and the proof. */
export async function runDrill(
  drill: Drill,
  options: Options,
  say: (line: string) => void,
): Promise<Outcome> {
  const begunAt = performance.now();
  say(`${options.replicas} replicas and ${options.brokers} canary brokers start`);
  const cluster = await DrillCluster.start(options.replicas, drill.env);
  let fleet: Fleet | undefined;
  let load: Load | undefined;
  let evidence: Evidence | undefined;
  try {
    evidence = await Evidence.open(cluster.server.url);
    fleet = await Fleet.start(cluster, options.brokers);
    load = new Load(cluster.balancer, cluster.token, fleet.brokerIds, options.rate);
    load.start();
    say(`${options.rate} commands a second`);
    await rest(WARM_MS);
    const acts: Outcome['acts'] = {};
    for (const [name, act] of Object.entries(drill.acts)) {
      const [from, fromMs] = [new Date(), performance.now()];
      const steps = await act({ cluster, evidence, say });
      await rest(WARM_MS);
      const gaps = await evidence.gapsMs(from);
      const ms = Math.round(performance.now() - fromMs);
      acts[name] = { ms, moves: gaps.length, gapMs: spread(gaps), steps };
    }
    await load.stop();
    say(
      `${load.answers.length} commands were accepted, ${load.refusals.length} calls refused; the rest is waited for`,
    );
    await settled(evidence);
    const figures = await figuresOf(cluster.folder, cluster.server.url, evidence, load, fleet);
    await fleet.stop();
    const reports = await evidence.reports();
    // What was broken on purpose may leave a report that says so; a roll alone is to be clean throughout.
    const ok = isGood(figures, drill) && (drill.mayRefuse || reports.clean === reports.drains);
    const ms = Math.round(performance.now() - begunAt);
    return { drill: drill.name, ok, ...options, ms, ...figures, acts, reports };
  } finally {
    await load?.stop();
    await fleet?.stop();
    await evidence?.close();
    await cluster.stop();
  }
}

async function settled(evidence: Evidence): Promise<void> {
  const until = performance.now() + SETTLED_WITHIN_MS;
  while (performance.now() < until && (await evidence.live()) > 0) await rest(LOOK_MS);
}

function isGood(figures: Figures, { mayRefuse, gapMs }: Drill): boolean {
  const { refused, givenUp, lost, duplicated, reordered, irregular, unknown } = figures;
  const isProven = lost + duplicated + reordered + irregular + givenUp === 0;
  return isProven && figures.gapMs.p99 <= gapMs && (mayRefuse || refused + unknown === 0);
}
