import { setTimeout as rest } from 'node:timers/promises';
import type { Balancer } from '../support/balancer.js';
import { WAYS, type FaultyLink, type FaultyProxy, type Manner, type Way } from '../support/faulty-proxy.js';
import type { Replica, SoakCluster } from './cluster.js';
import type { SoakDatabase } from './database.js';
import type { Crew, Fleet, Loss } from './fleet.js';
import type { Fault, FaultKind } from './schedule.js';
import type { Watch } from './watch.js';

/** All that may be struck. */
export type Stage = {
  cluster: SoakCluster;
  database: SoakDatabase;
  fleet: Fleet;
  watch: Watch;
  say: (line: string) => void;
};

/** Does it, and resolves when it is over and what it broke is put back. @returns what it struck, null where there was nothing */
type Strike = (stage: Stage, fault: Fault) => Promise<string | null>;

const CLOCK_OFF_MS = 600_000;
/** Each link has one of these, so that what is said on one overtakes what was said before on another. */
const DELAYS_MS = [200, 20, 350, 100, 250] as const;
/** The share of links that a fault of links strikes, so that others show what they should do. */
const SOME = 0.4;

const LISTENERS = `
  select pid, client_port as port, application_name as "applicationName"
  from pg_stat_activity
  where application_name like '%/listen'
  order by application_name`;

const END = `select pg_terminate_backend(pid) from unnest($1::integer[]) as struck (pid)`;

const END_SESSIONS = `
  select pg_terminate_backend(pid) from pg_stat_activity where application_name like $1 || '%'`;

export const STRIKES: Readonly<Record<FaultKind, Strike>> = {
  replica_kill: async ({ cluster, watch }, { pick, forMs }) => killed(cluster, watch, pick, forMs, 0),

  replica_clock: async ({ cluster, watch }, { pick, forMs }) =>
    killed(cluster, watch, pick, forMs, pick < 0.5 ? CLOCK_OFF_MS : -CLOCK_OFF_MS),

  replica_drain: async ({ cluster }, { pick }) => {
    const leaving = picked(cluster.replicas, pick);
    const next = await cluster.add();
    await cluster.drain(leaving);
    return `${leaving.name}, replaced by ${next.name}`;
  },

  replica_pause: async ({ cluster, watch }, { pick, forMs }) => {
    const replica = picked(cluster.replicas, pick);
    const row = await watch.find(replica.name);
    replica.program.signal('SIGSTOP');
    watch.death(replica.name, row?.id);
    await watch.hinder(replica.name, () => cluster.away(replica, 'paused', () => rest(forMs)));
    replica.program.signal('SIGCONT');
    return replica.name;
  },

  database_restart: async (stage, { forMs }) =>
    outage(stage, ({ database }) => database.restart('fast', forMs), hasLost.all),

  database_crash: async (stage, { forMs }) =>
    outage(stage, ({ database }) => database.restart('immediate', forMs), hasLost.all),

  database_read_only: async (stage, { forMs }) =>
    outage(stage, ({ database }) => database.refuseWrites(forMs), hasLost.none),

  database_full: async (stage, { pick, forMs }) => {
    const { name } = picked(stage.cluster.replicas, pick);
    const full = await outage(
      stage,
      async ({ database, watch }) => {
        const row = await watch.find(name);
        await database.takeAllPlaces(forMs, async () => {
          if (row !== undefined) await database.ask(END_SESSIONS, [row.sessionName]);
        });
      },
      ({ replica }) => replica.name === name,
    );
    return `${full}, and the sessions of ${name}`;
  },

  database_cut: async (stage, { pick, forMs }) =>
    offDatabase(stage, pick, hasLost.all, (way) => partition(way, forMs, (link) => link.cut())),

  database_half_open: async (stage, { pick, forMs, ways }) =>
    offDatabase(stage, pick, hasLost.all, (way) => halfOpened(way, way.links, forMs, ways)),

  database_stall: async (stage, { pick, forMs }) =>
    offDatabase(stage, pick, hasLost.none, (way) => stalled(way, forMs)),

  database_delay: async (stage, { pick, forMs, ways }) =>
    offDatabase(stage, pick, hasLost.none, (way) => delayed(way, forMs, ways)),

  listen_ended: async ({ cluster, database, watch }) => {
    const struck = await listeners({ cluster, watch, database });
    await database.ask(END, [struck.flatMap(({ pids }) => pids)]);
    watchHealing({ cluster, watch }, struck);
    return struck.length === 0 ? null : `${struck.length} sessions`;
  },

  listen_silent: async ({ cluster, database, watch }, { pick }) => {
    const listening = await listeners({ cluster, watch, database });
    if (listening.length === 0) return null;
    const struck = picked(listening, pick);
    const { replica, port } = struck;
    const link = replica.toDatabase.links.find(({ farPort }) => farPort === port);
    if (link === undefined) return null;
    link.halfOpen(WAYS);
    watchHealing({ cluster, watch }, [struck]);
    return `the session of ${replica.name}`;
  },

  peer_cut: async ({ cluster }, { pick, forMs }) =>
    onOne(cluster, pick, ({ fromPeers }) => partition(fromPeers, forMs, (link) => link.cut())),

  peer_half_open: async ({ cluster }, { pick, forMs, ways }) =>
    onOne(cluster, pick, ({ fromPeers }) => halfOpened(fromPeers, fromPeers.links, forMs, ways)),

  peer_delay: async ({ cluster }, { pick, forMs, ways }) =>
    onOne(cluster, pick, ({ fromPeers }) => delayed(fromPeers, forMs, ways)),

  broker_kill: async ({ fleet }, { pick, forMs }) => crewKilled(fleet, pick, forMs, {}),

  broker_journal_loss: async ({ fleet }, { pick, forMs }) =>
    crewKilled(fleet, pick, forMs, { losesJournal: true }),

  broker_journal_damage: async ({ fleet }, { pick, forMs }) =>
    // Of all that it may strike the pick chooses one, and by its further digits how much is left of that one's journals.
    crewKilled(fleet, pick, forMs, { keptOfJournal: (pick * 1_000) % 1 }),

  broker_disk_full: async ({ fleet }, { pick, forMs }) => {
    const alone = fleet.there.filter(({ names }) => names.length === 1);
    if (alone.length === 0) return null;
    const crew = picked(alone, pick);
    return (await fleet.fill(crew, forMs)) ? crew.names.join(', ') : null;
  },

  broker_restart: async ({ fleet }, { pick, forMs }) => {
    if (fleet.awake.length === 0) return null;
    const crew = picked(fleet.awake, pick);
    await fleet.restart(crew, forMs);
    return crew.names.join(', ');
  },

  broker_clock: async ({ fleet }, { pick, forMs }) =>
    crewKilled(fleet, pick, forMs, { clockOffsetMs: pick < 0.5 ? CLOCK_OFF_MS : -CLOCK_OFF_MS }),

  broker_pause: async ({ fleet }, { pick, forMs }) => {
    const crew = picked(fleet.there, pick);
    await fleet.standStill(crew, forMs);
    return crew.names.join(', ');
  },

  link_cut: async ({ cluster }, { pick }) => cutSome(cluster.toBrokers, pick),

  link_half_open: async ({ cluster }, { pick, forMs, ways }) => {
    const { proxy } = cluster.toBrokers;
    return halfOpened(proxy, some(proxy.links, pick), forMs, ways, false);
  },

  link_delay: async ({ cluster }, { forMs, ways }) => delayed(cluster.toBrokers.proxy, forMs, ways),

  link_stall: async ({ cluster }, { forMs }) => stalled(cluster.toBrokers.proxy, forMs),

  client_cut: async ({ cluster }, { pick }) => cutSome(cluster.toClients, pick),

  client_half_open: async ({ cluster }, { pick, forMs, ways }) => {
    const { proxy } = cluster.toClients;
    return halfOpened(proxy, some(proxy.links, pick), forMs, ways, false);
  },

  peer_stall: async ({ cluster }, { pick, forMs }) =>
    onOne(cluster, pick, ({ fromPeers }) => stalled(fromPeers, forMs)),

  client_stall: async ({ cluster }, { forMs }) => stalled(cluster.toClients.proxy, forMs),

  client_delay: async ({ cluster }, { forMs, ways }) => delayed(cluster.toClients.proxy, forMs, ways),

  link_lost: async ({ cluster, watch }, { pick, forMs }) => {
    const links = some(cluster.toBrokers.channelLinks, pick);
    for (const link of links) {
      link.halfOpen(WAYS);
      watch.silence(link);
    }
    await rest(forMs);
    return linksOf(links);
  },

  broker_sleep: async ({ fleet, watch }, { pick, forMs }) => {
    const crew = picked(fleet.there, pick);
    await watch.sleep(() => fleet.standStill(crew, forMs));
    return crew.names.join(', ');
  },
};

async function killed(
  cluster: SoakCluster,
  watch: Watch,
  pick: number,
  awayMs: number,
  clockOffsetMs: number,
): Promise<string> {
  const victim = picked(cluster.replicas, pick);
  const row = await watch.find(victim.name);
  watch.death(victim.name, row?.id);
  await cluster.kill(victim);
  await rest(awayMs);
  const next = await cluster.add(clockOffsetMs);
  return `${victim.name}, then ${next.name}`;
}

async function crewKilled(fleet: Fleet, pick: number, awayMs: number, loss: Loss): Promise<string> {
  const crew: Crew = picked(fleet.there, pick);
  await fleet.kill(crew, awayMs, loss);
  return crew.names.join(', ');
}

async function onOne(
  { replicas }: SoakCluster,
  pick: number,
  strike: (replica: Replica) => Promise<string | null>,
): Promise<string | null> {
  const replica = picked(replicas, pick);
  const struck = await strike(replica);
  return struck === null ? null : `${replica.name}: ${struck}`;
}

/** All links are struck, and all that are made meanwhile. */
async function partition(proxy: FaultyProxy, forMs: number, strike: Manner): Promise<string | null> {
  const { links } = proxy;
  for (const link of links) strike(link);
  await manner(proxy, strike, forMs);
  return linksOf(links);
}

/** What went silent stays so while it lasts; then both sides are told, as by the first word that gets through. */
async function halfOpened(
  proxy: FaultyProxy,
  links: readonly FaultyLink[],
  forMs: number,
  ways: readonly Way[],
  forNew = true,
): Promise<string | null> {
  // Others may have gone silent for another reason, and are to stay so.
  const own: FaultyLink[] = [];
  const silence: Manner = (link) => {
    own.push(link);
    link.halfOpen(ways);
  };
  for (const link of links) silence(link);
  await manner(proxy, forNew ? silence : undefined, forMs);
  for (const link of own) link.cut();
  return linksOf(links);
}

async function stalled(proxy: FaultyProxy, forMs: number): Promise<string | null> {
  const goOn: (() => void)[] = [];
  const stall: Manner = (link) => goOn.push(link.stall(WAYS));
  const { links } = proxy;
  for (const link of links) stall(link);
  await manner(proxy, stall, forMs);
  for (const each of goOn) each();
  return linksOf(links);
}

async function delayed(proxy: FaultyProxy, forMs: number, ways: readonly Way[]): Promise<string | null> {
  let place = 0;
  const slow: Manner = (link) => link.delay(ways, DELAYS_MS[place++ % DELAYS_MS.length] ?? 0);
  for (const link of proxy.links) slow(link);
  await manner(proxy, slow, forMs);
  for (const link of proxy.links) link.delay(WAYS, 0);
  return linksOf(proxy.links);
}

async function manner(proxy: FaultyProxy, given: Manner | undefined, forMs: number): Promise<void> {
  // Another lane may strike the same network meanwhile.
  const end = given === undefined ? undefined : proxy.impose(given);
  await rest(forMs);
  end?.();
}

function cutSome({ proxy }: Balancer, pick: number): Promise<string | null> {
  const links = some(proxy.links, pick);
  for (const link of links) link.cut();
  return Promise.resolve(linksOf(links));
}

/** The session by which a replica listens, and the processes of the server that are such of it. */
type Listening = { replica: Replica; sessionName: string; pids: number[]; port: number };

async function listeners({
  cluster,
  watch,
  database,
}: Pick<Stage, 'cluster' | 'watch' | 'database'>): Promise<Listening[]> {
  const sessions = await database.ask<{ pid: number; port: number; applicationName: string }>(LISTENERS);
  const found = await Promise.all(
    cluster.replicas.map(async (replica) => {
      const row = await watch.find(replica.name);
      const sessionName = row?.sessionName ?? '';
      const own = sessions.filter(({ applicationName }) => applicationName === `${sessionName}/listen`);
      const [first] = own;
      const pids = own.map(({ pid }) => pid);
      return first === undefined ? [] : [{ replica, sessionName, pids, port: first.port }];
    }),
  );
  return found.flat();
}

/** Which of those who listen lose their sessions by what is done. */
const hasLost = { all: () => true, none: () => false };

/** The database is out of order for all; those who lost what they listened on by that are to listen anew soon after. */
async function outage(
  stage: Stage,
  work: (stage: Stage) => Promise<void>,
  loses: (listening: Listening) => boolean,
): Promise<string> {
  const { cluster, watch } = stage;
  const listening = await listeners(stage);
  await cluster.ailing(null, () => watch.trouble(() => work(stage)));
  watchHealing(stage, listening.filter(loses));
  return 'the database';
}

/** The way of one replica to the database is struck. */
async function offDatabase(
  stage: Stage,
  pick: number,
  loses: () => boolean,
  strike: (way: FaultyProxy) => Promise<string | null>,
): Promise<string | null> {
  const { cluster, watch } = stage;
  const listening = await listeners(stage);
  return onOne(cluster, pick, async (replica) => {
    const struck = await cluster.ailing(replica, () =>
      watch.hinder(replica.name, () => strike(replica.toDatabase)),
    );
    watchHealing(
      stage,
      listening.filter((each) => each.replica === replica && loses()),
    );
    return struck;
  });
}

function watchHealing(
  { cluster, watch }: Pick<Stage, 'cluster' | 'watch'>,
  lost: readonly Listening[],
): void {
  for (const { replica, sessionName, pids } of lost) {
    watch.deafness(replica.name, sessionName, pids, () => !isThere(cluster, replica));
  }
}

function isThere({ replicas }: SoakCluster, replica: Replica): boolean {
  return replicas.includes(replica) && replica.program.isRunning;
}

/** Some of all, from a place that chance gives. */
function some<T>(items: readonly T[], pick: number): T[] {
  const count = Math.ceil(items.length * SOME);
  const from = Math.floor(pick * items.length);
  return [...items.slice(from), ...items.slice(0, from)].slice(0, count);
}

function picked<T>(items: readonly T[], pick: number): T {
  const item = items[Math.min(items.length - 1, Math.floor(pick * items.length))];
  if (item === undefined) throw new Error('there is nothing to strike');
  return item;
}

function linksOf({ length }: readonly FaultyLink[]): string | null {
  return length === 0 ? null : `${length} links`;
}
