import { setTimeout as rest } from 'node:timers/promises';
import { DrillCluster, type Replica } from './cluster.js';
import { Evidence, figuresOf, type Figures } from './figures.js';
import { Fleet } from './fleet.js';
import { Load } from './load.js';

export type Options = { replicas: number; brokers: number; rate: number };
export type Outcome = Options & Figures & { drill: string; ok: boolean; ms: number; steps: object[] };

/** What a drill does to the hub while commands go on. @returns what is told of its steps */
export type Act = (stage: Stage) => Promise<object[]>;
export type Stage = { cluster: DrillCluster; fleet: Fleet; say: (line: string) => void; options: Options };

export type Drill = {
  name: string;
  act: Act;
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
    const steps = await drill.act({ cluster, fleet, say, options });
    await rest(WARM_MS);
    await load.stop();
    say(
      `${load.answers.length} commands were accepted, ${load.refusals.length} calls refused; the rest is waited for`,
    );
    await settled(evidence);
    await fleet.stop();
    const figures = await figuresOf(cluster.folder, cluster.server.url, evidence, load, fleet);
    const ok = isGood(figures, drill);
    return {
      drill: drill.name,
      ok,
      ...options,
      ms: Math.round(performance.now() - begunAt),
      ...figures,
      steps,
    };
  } finally {
    await load?.stop();
    await fleet?.stop();
    await evidence?.close();
    await cluster.stop();
  }
}

/** A replica that was not there before takes the place of each, one after another, as a rolling deploy does it. */
export async function roll({ cluster, say }: Stage): Promise<object[]> {
  const steps: object[] = [];
  for (const replica of [...cluster.replicas]) {
    const next = await cluster.add();
    const ms = Math.round(await cluster.drain(replica));
    say(`${replica.id} handed over to ${next.id} and the others in ${ms} ms`);
    steps.push({ drained: replica.id, ms });
  }
  return steps;
}

/** Ends a replica as a crash does, and starts another. */
export async function kill({ cluster, say }: Stage): Promise<object[]> {
  const victim: Replica | undefined = cluster.replicas[0];
  if (victim === undefined) throw new Error('there is no replica');
  await cluster.kill(victim);
  say(`${victim.id} was killed`);
  await cluster.add();
  await rest(8_000);
  return [{ killed: victim.id }];
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
