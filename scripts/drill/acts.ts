import { setTimeout as rest } from 'node:timers/promises';
import { FaultyProxy } from '../support/faulty-proxy.js';
import type { Launched as Replica } from '../support/replicas.js';
import { ranksOf } from '../support/spread.js';
import type { Stage } from './drill.js';
import { race } from './guests.js';

/** What a drill does to the hub while commands go on. */
export type Act = {
  /** Whether calls may go unanswered on the way, and be repeated. */
  mayRefuse: boolean;
  /** The longest time without an owner that is still good, for 99 of 100 moves. */
  gapMs: number;
  /** @returns what is told of its steps @throws Error where it did not come about, or something was found broken */
  run: (stage: Stage) => Promise<object[]>;
};

const HANDED_GAP_MS = 250;
/** A death is noticed within 6 s, and brokers dial anew; twice that, for a machine that others use. */
const BROKEN_GAP_MS = 15_000;
/** Long enough for a death to be noticed, and for what was broken to be as it was. */
const NOTICED_MS = 9_000;
const CUT_MS = 8_000;
const DEAFENED_TIMES = 3;
const BETWEEN_MS = 1_500;
const BACK_WITHIN_MS = 30_000;
const OWNED_WITHIN_MS = 30_000;

/** A replica that was not there before takes the place of each, one after another, as a rolling deploy does it. */
const roll = async ({ cluster, say }: Stage) => {
  const steps: object[] = [];
  for (const replica of [...cluster.replicas]) {
    const next = await cluster.add();
    const ms = Math.round(await cluster.drain(replica));
    say(`${replica.id} handed over to ${next.id} and the others in ${ms} ms`);
    steps.push({ drained: replica.id, ms });
  }
  return steps;
};

/** Every replica is replaced by one of another build, and that by one of this again, so that both serve side by side twice. */
const versions = async ({ cluster, evidence, other, say }: Stage) => {
  if (other === undefined) throw new Error('there is no other build');
  for (const build of [other, undefined]) {
    for (const replica of [...cluster.replicas]) {
      await cluster.add({}, build);
      await cluster.drain(replica);
    }
    say(`all replicas are of ${build ?? 'this build'}`);
  }
  return [{ other, protocols: await evidence.protocols() }];
};

/** Ends a replica as a crash does, and starts another. */
const kill = async ({ cluster, fleet, evidence, say }: Stage) => {
  const victim = await busiest(cluster.replicas, evidence.ownedBy);
  const orphans = await evidence.ownedBy(victim.id);
  const killedAt = await evidence.now();
  await cluster.kill(victim);
  say(`${victim.id} was killed, which owned ${orphans.length} brokers`);
  const back = await evidence.ownedAgain(orphans, killedAt, OWNED_WITHIN_MS);
  const of = (isOf: (id: string) => boolean) => spreadOf(back, isOf);
  const ownedAgainMs = {
    withoutStandby: of((id) => !fleet.standbyIds.has(id)),
    withStandby: of((id) => fleet.standbyIds.has(id)),
  };
  say(`they were owned again: ${JSON.stringify(ownedAgainMs)}`);
  await cluster.add();
  return [{ killed: victim.id, orphans: orphans.length, ownedAgainMs }];
};

/** Cuts one replica off from the database for longer than the others hold it for living, and lets it come back. */
const cut = async ({ cluster, say }: Stage) => {
  const leaving = first(cluster.replicas);
  const wire = await FaultyProxy.start(() => [{ host: '127.0.0.1', port: cluster.server.port }]);
  try {
    const victim = await cluster.add({ DATABASE_URL: wire.urlOf(cluster.server.url) });
    // So that it owns some of the brokers.
    await cluster.drain(leaving);
    const mend = wire.cut();
    say(`${victim.id} is cut off from the database`);
    await rest(CUT_MS);
    mend();
    await rest(NOTICED_MS);
    // It may have another id now, and goes by way of the wire still.
    await cluster.add();
    await cluster.drain(victim);
    return [{ cutOff: victim.id, ms: CUT_MS }];
  } finally {
    await wire.stop();
  }
};

/** Cuts the way of every broker to the hub, all at once. */
const links = async ({ cluster, evidence, fleet, say }: Stage) => {
  const since = await evidence.now();
  const channels = cluster.balancer.cutChannels();
  say(`${channels} channels of brokers were cut`);
  const back = await evidence.ownedAgain(fleet.brokerIds, since, OWNED_WITHIN_MS);
  return [{ channelsCut: channels, ownedAgainMs: spreadOf(back, () => true) }];
};

/** Ends the sessions by which replicas are woken. */
const listen = async ({ evidence, say }: Stage) => {
  let ended = 0;
  for (let times = 0; times < DEAFENED_TIMES; times += 1) {
    ended += await evidence.deafen();
    await rest(BETWEEN_MS);
  }
  say(`${ended} sessions that listen were ended`);
  if (ended === 0) throw new Error('there was no session that listens');
  return [{ sessionsEnded: ended }];
};

/** Ends the database as a crash does, and starts it again. */
const database = async ({ cluster, load, awayMs, say }: Stage) => {
  const endedBefore = cluster.balancer.channelsEnded;
  const rateBefore = load.acceptedPerS(BETWEEN_MS);
  const upAt = await cluster.crashDatabase(awayMs);
  say(`the database was away for ${awayMs} ms`);
  const rateBackMs = await load.isBackAt(rateBefore, upAt, BACK_WITHIN_MS);
  await rest(NOTICED_MS);
  const channelsDropped = cluster.balancer.channelsEnded - endedBefore;
  say(`${channelsDropped} channels were dropped; the rate was back within ${rateBackMs ?? '-'} ms`);
  if (rateBackMs === null) throw new Error(`the rate was not back within ${BACK_WITHIN_MS} ms`);
  // It was away for all: no other place was better.
  if (channelsDropped > 0) throw new Error(`the outage cost ${channelsDropped} channels`);
  return [{ databaseAwayMs: awayMs, channelsDropped, rateBackMs }];
};

/** Stops a replica's process for longer than the others hold it for living, and lets it go on. */
const pause = async ({ cluster, evidence, pauseMs, say }: Stage) => {
  const victim = await busiest(cluster.replicas, evidence.ownedBy);
  victim.program.signal('SIGSTOP');
  say(`${victim.id} stands still`);
  await rest(pauseMs);
  const isBuried = await evidence.isGone(victim.id);
  victim.program.signal('SIGCONT');
  await rest(NOTICED_MS);
  if (!isBuried) throw new Error(`nobody took ${victim.id} for dead, which stood still for ${pauseMs} ms`);
  return [{ stoodStill: victim.id, ms: pauseMs, isBuried }];
};

/** Has strangers come in at the door of a replica while it is closed for a drain. */
const admissions = async ({ cluster, evidence, atEnd, say }: Stage) => {
  const next = await cluster.add();
  const leaving = first(cluster.replicas);
  const { drained, held, ...tally } = await race(cluster, leaving);
  atEnd(held);
  await drained;
  const { admittedAfter, stillOwned } = await evidence.afterDrain(leaving.id);
  say(`${JSON.stringify({ ...tally, admittedAfter, stillOwned })} of ${leaving.id}`);
  if (tally.admitted === 0 || tally.refused === 0) throw new Error('the admissions did not meet the drain');
  if (admittedAfter + stillOwned + tally.untold > 0)
    throw new Error(`a drain let in ${admittedAfter}, forgot ${tally.untold}, kept ${stillOwned}`);
  return [{ drained: leaving.id, inPlace: next.id, ...tally, admittedAfter, stillOwned }];
};

async function busiest(
  replicas: readonly Replica[],
  ownedBy: (id: string) => Promise<string[]>,
): Promise<Replica> {
  const counts = await Promise.all(replicas.map(async ({ id }) => (await ownedBy(id)).length));
  return first(replicas.filter((_, place) => counts[place] === Math.max(...counts)));
}

function spreadOf(back: ReadonlyMap<string, number>, isOf: (id: string) => boolean) {
  const values = [...back].flatMap(([id, ms]) => (isOf(id) ? [ms] : []));
  if (values.length === 0) return null;
  const at = ranksOf(values);
  return { brokers: values.length, p50: at(0.5), max: at(1) };
}

function first<T>([one]: readonly T[]): T {
  if (one === undefined) throw new Error('there is no replica');
  return one;
}

const handed = { mayRefuse: false, gapMs: HANDED_GAP_MS };
const broken = { mayRefuse: true, gapMs: BROKEN_GAP_MS };

export const ACTS: Readonly<Record<string, Act>> = {
  roll: { ...handed, run: roll },
  kill: { ...broken, run: kill },
  cut: { ...broken, run: cut },
  links: { ...broken, run: links },
  listen: { ...handed, run: listen },
  database: { ...broken, run: database },
  // Its brokers have a channel that does not speak, and no owner, until it goes on.
  pause: { ...broken, gapMs: 2 * BROKEN_GAP_MS, run: pause },
  admissions: { ...handed, run: admissions },
};

/** Needs another build, and so is none of those that everybody can do. */
export const VERSIONS: Act = { ...handed, run: versions };
