import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import type { TrailFacts } from '../../src/hub/dispatch/record.js';
import { trailsOfDatabase } from '../../src/hub/verify/main.js';
import { LinesFile, writeLines } from '../support/json-lines.js';
import { Program } from '../support/program.js';
import { countOf } from '../support/spread.js';
import { SoakCluster } from './cluster.js';
import { Clients } from './clients.js';
import { SoakDatabase } from './database.js';
import { failuresOf, type Failure } from './failures.js';
import { Fleet } from './fleet.js';
import { evidenceOf, judge, type Judgement } from './judge.js';
import type { Call } from './record.js';
import type { Growth } from './growth.js';
import { Samples } from './samples.js';
import { FAULT_KINDS, LANES, lineOf, type Fault, type FaultKind } from './schedule.js';
import { spreadOf } from './slope.js';
import { STRIKES, type Stage } from './strikes.js';
import { toldOf, type Struck } from './struck.js';
import { trailLineOf, type TrailLine } from './trail-line.js';
import { Watch, type Timing } from './watch.js';

export type SoakOptions = {
  minutes: number;
  seed: number;
  rate: number;
  bulk: number;
  mix: number;
  brokers: number;
  replicas: number;
  calm: number;
  only: readonly number[] | null;
  spares: boolean;
  holds: boolean;
  schedule: readonly Fault[];
  /** Where everything that was written down stays; null: where it was not clean, in a folder that is told. */
  keep: string | null;
};

type Spread = ReturnType<typeof spreadOf>;
/** The longest of what is promised within a time; null where nothing could be judged. */
export type Promised = {
  judged: number;
  unjudged: number;
  maxMs: number | null;
  never: number;
  withinMs: number;
  isKept: boolean;
};

export type Outcome = Judgement & {
  seed: number;
  minutes: number;
  rate: number;
  bulk: number;
  mix: number;
  brokers: number;
  replicas: number;
  calm: number;
  /** The numbers of the faults that were due, where not all of the schedule were. */
  only: readonly number[] | null;
  spares: boolean;
  holds: boolean;
  tookMs: number;
  commands: number;
  /** Commands that no replica had taken at the end, though their clients asked on: no promise is broken, and no hub is well. */
  givenUp: number;
  /** Why it is not clean; nothing where it is. */
  failures: Failure[];
  /** How many struck, each kind's number, how many found nothing to strike, and how many came too late to. */
  faults: number;
  faultsByKind: Partial<Record<FaultKind, number>>;
  missed: number;
  leftOut: number;
  /** Faults that could not be done or undone. */
  failedFaults: string[];
  /** Milliseconds from the time at which a command was due, which no outage moves. */
  acceptMs: Spread;
  endMs: Spread;
  /** Endings that came after their clients had stopped asking: of how long they took no more is known. */
  unheard: number;
  refusals: Record<string, number>;
  deathsNoticed: Promised;
  listenHealed: Promised;
  /** Links that went silent for good, until both of their ends had let go of them. */
  silencesNoticed: Promised;
  growth: Growth;
  /** The transaction that is kept open while commands come: how often it was begun, for how long it was open at most, and in all. */
  pinned: { times: number; longestMs: number; allMs: number };
  /** Processes that ended by themselves, and those that did not begin, or end, as they were to. */
  crashes: string[];
  /** Commands without an ending when it was judged. */
  left: object[];
  artifacts: string | null;
};

export type Run = { outcome: Outcome; struck: Struck[]; calls: readonly Call[] };

const NOTICED_WITHIN_MS = 6_000;
const HEALED_WITHIN_MS = 2_000;
/** Two pings that nobody answers, and the time of another. */
const LET_GO_WITHIN_MS = 60_000;
/** What was begun goes on by then: a broker that was cut dials anew, and a dead owner is released. */
const NEXT_ENDING_WITHIN_MS = 45_000;
/** However slow the machine is, and as long as one ending follows another. */
const SETTLED_WITHIN_MS = 300_000;
const LOOK_MS = 250;
const MEND_EVERY_MS = 1_000;
/** For which clients go on asking, and the longest call and rest after that. */
const ANSWERED_WITHIN_MS = 90_000;

const LIVE = `select count(*)::int as count from broker_dispatch`;
const LEFT = `
  select dispatch.id, dispatch.state, dispatch.attempt, broker.name as broker, dispatch.ordering_key as "orderingKey",
         dispatch.claim_epoch as "claimEpoch", held.epoch, coalesce(replica.name, 'nobody') as owner
  from broker_dispatch dispatch
  join broker on broker.id = dispatch.broker_id
  left join broker_connection held on held.broker_id = dispatch.broker_id
  left join hub_replica replica on replica.id = held.replica_id
  order by dispatch.seq
  limit 200`;

/** One soak from its first process to its last. */
export async function soak(options: SoakOptions, say: (line: string) => void): Promise<Run> {
  const begunAt = performance.now();
  const folder = folderOf(options);
  writeLines(folder, 'schedule.ndjson', options.schedule);
  say(`${options.replicas} replicas and ${options.brokers} brokers start; what they write is in ${folder}`);
  const stops: (() => Promise<unknown>)[] = [];
  // The unprivileged user that runs PostgreSQL for root goes through it.
  const databaseFolder = join(folder, 'database');
  mkdirSync(databaseFolder, { mode: 0o711 });
  let isKept = true;
  let dump = (): Promise<TrailLine[]> => Promise.resolve([]);
  let serverLog: string | null = null;
  try {
    const database = await SoakDatabase.start(databaseFolder);
    stops.push(() => database.stop());
    dump = () => dumped(folder, database.url);
    serverLog = database.log;
    const cluster = await SoakCluster.start(folder, database, options.replicas);
    stops.push(() => cluster.stop());
    const fleet = await Fleet.start(folder, cluster, options.brokers);
    stops.push(() => fleet.stop());
    const watch = new Watch(database, say);
    const samples = new Samples(cluster, database);
    samples.start();
    database.pin();
    const clients = Clients.start(folder, cluster, fleet.brokerIds, options);
    stops.push(() => clients.kill());
    const ratePerS = options.rate + options.bulk + options.mix;
    say(`${ratePerS} commands a second; ${options.schedule.length} faults are due`);

    const struck = await strikeAll({ cluster, database, fleet, watch, say }, options, clients);

    const growth = await samples.stop();
    const { pins } = database;
    const pinned = {
      times: pins.length,
      longestMs: Math.max(0, ...pins),
      allMs: pins.reduce((sum, ms) => sum + ms, 0),
    };
    say(`the clients end: ${clients.progress}`);
    await clients.end(ANSWERED_WITHIN_MS);
    await watch.settled();
    await settled(database);
    const left = await database.ask<object>(LEFT);
    await fleet.stop();
    const trails = await dump();
    const { losses } = fleet;
    const { absences, ailments } = cluster;
    const ways = { links: cluster.clientLinks.all, absences, ailments };
    const evidence = evidenceOf(folder, { losses, ways, isWhole: clients.ends.length === 0 });
    writeLines(folder, 'losses.ndjson', losses);
    writeLines(folder, 'links.ndjson', ways.links);
    writeLines(folder, 'absences.ndjson', absences);
    writeLines(folder, 'ailments.ndjson', ailments);
    const judgement = await judge(folder, trails, evidence);
    if (left.length > 0) writeLines(folder, 'left.ndjson', left);
    const givenUp = evidence.calls.filter(({ acceptedMs }) => acceptedMs === null).length;
    // Nobody ended them, or they did not end when they were to.
    const crashes = [...cluster.deaths, ...fleet.ends, ...clients.ends];
    const failedFaults = struck.flatMap(({ number, kind, error }) =>
      error === undefined ? [] : [`${number} ${kind}: ${error}`],
    );
    const deathsNoticed = promised(watch.deaths, watch.unjudgedDeaths, NOTICED_WITHIN_MS);
    const listenHealed = promised(watch.listens, watch.unjudgedListens, HEALED_WITHIN_MS);
    const silencesNoticed = promised(watch.silences, watch.unjudgedSilences, LET_GO_WITHIN_MS);
    const never = deathsNoticed.never + listenHealed.never + silencesNoticed.never;
    const done = struck.filter(({ error, struck: what }) => error === undefined && what !== null);
    const faultsByKind = countOf(done.map(({ kind }) => kind));
    const commands = evidence.calls.length;
    const failures = failuresOf({
      ...judgement,
      givenUp,
      crashes,
      failedFaults,
      sure: growth.sure,
      spares: options.spares,
      holds: options.holds,
      never,
      promised: [deathsNoticed, listenHealed],
      tried: countOf(struck.flatMap(({ kind, error }) => (error === undefined ? [kind] : []))),
      faultsByKind,
      forMs: options.minutes * 60_000,
      pinnedMs: pinned.allMs,
      pinnedLongestMs: pinned.longestMs,
      commands,
      due: ratePerS * options.minutes * 60,
      faults: done.length,
      scheduled: options.schedule.length,
    });
    const ok = judgement.ok && failures.length === 0;
    isKept = options.keep !== null || !ok;
    const outcome: Outcome = {
      ...judgement,
      ok,
      failures,
      givenUp,
      seed: options.seed,
      minutes: options.minutes,
      rate: options.rate,
      bulk: options.bulk,
      mix: options.mix,
      brokers: options.brokers,
      replicas: options.replicas,
      calm: options.calm,
      only: options.only,
      spares: options.spares,
      holds: options.holds,
      tookMs: Math.round(performance.now() - begunAt),
      commands,
      faults: done.length,
      faultsByKind,
      missed: struck.length - failedFaults.length - done.length,
      leftOut: options.schedule.length - struck.length,
      failedFaults,
      acceptMs: spreadOf(evidence.calls.filter(({ waited }) => !waited).flatMap(latencyOf('acceptedMs'))),
      unheard: evidence.calls.filter(isUnheard).length,
      endMs: spreadOf(evidence.calls.filter(({ waited }) => waited).flatMap(latencyOf('endedMs'))),
      refusals: clients.refusals,
      deathsNoticed,
      listenHealed,
      silencesNoticed,
      growth,
      pinned,
      crashes,
      left: left.slice(0, 20),
      artifacts: isKept ? folder : null,
    };
    return { outcome, struck, calls: evidence.calls };
  } catch (error) {
    // The database goes, and the trails in it are what tells most of a run that came to nothing.
    await dump().catch((why: unknown) => say(`the trails could not be read: ${String(why)}`));
    throw error;
  } finally {
    // What did not come up far enough to be stopped in order ends all the same.
    Program.killAll();
    for (const stop of stops.reverse())
      await stop().catch((error: unknown) => say(`it did not stop well: ${String(error)}`));
    if (isKept && serverLog !== null) copyFileSync(serverLog, join(folder, 'database.log'));
    rmSync(isKept ? databaseFolder : folder, { recursive: true, force: true });
  }
}

/** Each lane strikes one fault after another, at their times or as soon after as the one before is over. */
async function strikeAll(
  stage: Stage,
  { schedule, minutes }: SoakOptions,
  clients: Clients,
): Promise<Struck[]> {
  const { say } = stage;
  const begunAt = performance.now();
  const nowMs = () => Math.round(performance.now() - begunAt);
  const forMs = minutes * 60_000;
  const struck: Struck[] = [];
  const mending = new AbortController();
  const mended = mendAll(stage, mending.signal);
  const laneOf = async (lane: string): Promise<void> => {
    for (const fault of schedule.filter(({ kind }) => FAULT_KINDS[kind].lane === lane)) {
      await rest(Math.max(0, fault.atMs - nowMs()));
      // A slow machine is late; what is due after the end is left out.
      if (nowMs() > forMs) return;
      const one: Struck = { number: fault.number, kind: fault.kind, atMs: nowMs(), untilMs: 0, struck: null };
      struck.push(one);
      try {
        one.struck = await STRIKES[fault.kind](stage, fault);
      } catch (error) {
        one.error = error instanceof Error ? error.message : String(error);
      }
      one.untilMs = nowMs();
      say(
        `${lineOf({ ...fault, atMs: one.atMs, forMs: one.untilMs - one.atMs })}: ${toldOf(one)} | ${clients.progress}`,
      );
    }
  };
  await Promise.all([...LANES.map(laneOf), rest(forMs)]);
  mending.abort();
  await mended;
  return struck.sort((one, other) => one.atMs - other.atMs);
}

async function mendAll({ cluster, say }: Stage, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await cluster.mend().catch((error: unknown) => say(`no replica could be started: ${String(error)}`));
    await rest(MEND_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Resolves when all has ended, or nothing goes on any more: what is left then is lost. */
async function settled(database: SoakDatabase): Promise<void> {
  const begunAt = performance.now();
  let [least, leastAt] = [Infinity, begunAt];
  for (let now = begunAt; now - begunAt < SETTLED_WITHIN_MS; now = performance.now()) {
    const [row] = await database.ask<{ count: number }>(LIVE);
    if (row?.count === 0) return;
    if (row !== undefined && row.count < least) [least, leastAt] = [row.count, performance.now()];
    if (performance.now() - leastAt > NEXT_ENDING_WITHIN_MS) return;
    await rest(LOOK_MS);
  }
}

async function dumped(folder: string, databaseUrl: string): Promise<TrailLine[]> {
  const lines = new LinesFile(folder, 'trails.ndjson');
  const trails: TrailLine[] = [];
  for await (const { value } of trailsOfDatabase(databaseUrl, {})) {
    const trail = value as TrailFacts;
    lines.write(trail);
    trails.push(trailLineOf(trail));
  }
  lines.close();
  return trails;
}

function folderOf({ keep, seed }: SoakOptions): string {
  if (keep !== null) mkdirSync(keep, { recursive: true });
  const inMemory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const folder = mkdtempSync(
    keep === null ? join(inMemory, `fairlead-soak-${seed}-`) : join(keep, `seed-${seed}-`),
  );
  chmodSync(folder, 0o711);
  return folder;
}

function latencyOf(end: 'acceptedMs' | 'endedMs') {
  return (call: Call): number[] => {
    const at = call[end];
    return at === null ? [] : [at - call.dueMs];
  };
}

function isUnheard({ waited, acceptedMs, endedMs }: Call): boolean {
  return waited && acceptedMs !== null && endedMs === null;
}

function promised(timings: readonly Timing[], unjudged: number, withinMs: number): Promised {
  const times = timings.flatMap(({ ms }) => (ms === null ? [] : [ms]));
  const never = timings.length - times.length;
  const maxMs = times.length === 0 ? null : Math.max(...times);
  return {
    judged: timings.length,
    unjudged,
    maxMs,
    never,
    withinMs,
    isKept: never === 0 && (maxMs ?? 0) <= withinMs,
  };
}
