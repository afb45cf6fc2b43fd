import { setTimeout as rest } from 'node:timers/promises';
import type { Act } from './acts.js';
import { DrillCluster } from './cluster.js';
import { Evidence, figuresOf, spread, type Figures, type Spread } from './figures.js';
import { Fleet } from './fleet.js';
import { Load } from './load.js';

export type Options = {
  replicas: number;
  brokers: number;
  rate: number;
  /** How long a replica is stopped that is to go on. */
  pauseMs: number;
  /** For how long the database is away. */
  awayMs: number;
  /** The folder of another build of the product, which some brokers are of, and to which replicas may be rolled. */
  other?: string;
};
/** What one act came to: what it did, and the milliseconds without an owner of the brokers that it moved. */
type ActFigures = {
  ms: number;
  moves: number;
  gapMs: Spread;
  /** From when commands were due to their acceptance, of those that were accepted while it went on. */
  acceptMs: Spread;
  refused: number;
  /** Commands that were due meanwhile, and for which no key was free. */
  dropped: number;
  steps: object[];
  /** Why it is not what was promised. */
  fault?: string;
};
export type Outcome = Options &
  Figures & {
    drill: string;
    ok: boolean;
    ms: number;
    /** From when commands were due to their acceptance, before anything was broken. */
    acceptBeforeMs: Spread;
    acts: Record<string, ActFigures>;
    reports: { clean: number; judged: number; drains: number };
  };

export type Stage = Pick<Options, 'pauseMs' | 'awayMs' | 'other'> & {
  cluster: DrillCluster;
  fleet: Fleet;
  load: Load;
  evidence: Evidence;
  /** Done when the drill is judged. */
  atEnd: (act: () => void) => void;
  say: (line: string) => void;
};

export type Drill = {
  name: string;
  /** One after another, on the same hub. */
  acts: Readonly<Record<string, Act>>;
  env: Record<string, string>;
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
  const endings: (() => void)[] = [];
  try {
    evidence = await Evidence.open(cluster.server.url);
    fleet = await Fleet.start(cluster, options.brokers, options.other);
    const { pauseMs, awayMs, other } = options;
    load = new Load(cluster.caller, fleet.brokerIds, options.rate, { awayMs });
    load.start();
    say(`${options.rate} commands a second`);
    await rest(WARM_MS);
    const acceptBeforeMs = spread(load.latenciesMs());
    const atEnd = (act: () => void) => void endings.push(act);
    const stage: Stage = {
      cluster,
      fleet,
      load,
      evidence,
      pauseMs,
      awayMs,
      atEnd,
      say,
      ...(other === undefined ? {} : { other }),
    };
    const acts: Outcome['acts'] = {};
    for (const [name, act] of Object.entries(drill.acts)) acts[name] = await play(name, act, stage);
    await load.stop();
    say(
      `${load.answers.length} commands were accepted, ${load.refusals.length} calls refused; the rest is waited for`,
    );
    await settled(evidence);
    const figures = await figuresOf(cluster.folder, cluster.server.url, evidence, load, fleet);
    // While their brokers are there: a report waits for these to be back.
    const reports = await evidence.reports();
    await fleet.stop();
    // What was broken on purpose may leave a report that says so; where nothing was, it is to be clean throughout.
    const isHanded = Object.values(drill.acts).every(({ mayRefuse }) => !mayRefuse);
    const ok =
      isProven(figures) &&
      Object.values(acts).every(({ fault }) => fault === undefined) &&
      (!isHanded || (reports.clean === reports.drains && figures.unknown === 0));
    const ms = Math.round(performance.now() - begunAt);
    return { drill: drill.name, ok, ...options, ms, ...figures, acceptBeforeMs, acts, reports };
  } finally {
    for (const end of endings) end();
    await load?.stop();
    await fleet?.stop();
    await evidence?.close();
    await cluster.stop();
  }
}

/** One act; one that did not come about leaves its fault, and the hub to the acts behind it. */
async function play(name: string, act: Act, stage: Stage): Promise<ActFigures> {
  const { evidence, fleet, load, say } = stage;
  const [from, fromMs] = [await evidence.now(), performance.now()];
  const [refusedBefore, droppedBefore] = [load.refusals.length, load.dropped];
  const faults: string[] = [];
  const steps = await act.run(stage).catch((error: unknown): object[] => {
    faults.push(error instanceof Error ? error.message : String(error));
    return [];
  });
  await rest(WARM_MS);
  const gaps = await evidence.gapsMs(fleet.brokerIds, from);
  const gapMs = spread(gaps);
  const refused = load.refusals.length - refusedBefore;
  if (gapMs.p99 > act.gapMs) faults.push(`brokers were without an owner for ${gapMs.p99} ms`);
  if (refused > 0 && !act.mayRefuse) faults.push(`${refused} calls were refused`);
  for (const fault of faults) say(`${name}: ${fault}`);
  return {
    ms: Math.round(performance.now() - fromMs),
    moves: gaps.length,
    gapMs,
    acceptMs: spread(load.latenciesMs(fromMs)),
    refused,
    dropped: load.dropped - droppedBefore,
    steps,
    ...(faults.length === 0 ? {} : { fault: faults.join('; ') }),
  };
}

async function settled(evidence: Evidence): Promise<void> {
  const until = performance.now() + SETTLED_WITHIN_MS;
  while (performance.now() < until && (await evidence.live()) > 0) await rest(LOOK_MS);
}

function isProven({ givenUp, lost, duplicated, reordered, irregular, left }: Figures): boolean {
  return lost + duplicated + reordered + irregular + givenUp === 0 && left.length === 0;
}
