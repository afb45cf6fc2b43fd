import { Injectable, Logger } from '@nestjs/common';
import type { FrameOf } from '../../protocol/frame.js';
import { AGENTS_CAPABILITY } from '../../protocol/version.js';
import { Replica } from '../cluster/replica.js';
import { DatabaseUnavailable } from '../database/database.errors.js';
import type { Initiator } from '../dispatch/draft.js';
import { Heartbeats } from '../heartbeat/heartbeats.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import type { Link } from '../registry/link.js';
import { Links } from '../registry/links.js';
import { Agents } from './agents.js';
import { driftOf, type Drift, type KnownAgent, type RunOf, type StrayKind } from './drift.js';
import { StrayRepository, type Owner } from './stray.repository.js';
import { countOf, Strays, type StraysOfLink } from './strays.js';
import { ToldAgents } from './told-agents.js';

const TICK_MS = 2_000;
/** What differs for less than this may be a report that is on its way. */
const SETTLE_MS = 2_000;
/** Compared in one statement. */
const LINKS_AT_ONCE = 500;
const AGENTS_AT_ONCE = 5_000;
/** Runs that are ended at one broker in one turn, each in a transaction of its own. */
const LOST_AT_ONCE = 50;
/** A broker whose list never fits its own digest is asked in each turn of its beats up to here, and then every so many. */
const ASKED_IN_VAIN = 3;
const SELDOM = 20;

/** Shared by all brokers that have none of it, which are most. */
const NOTHING: ReadonlyMap<string, never> = new Map<string, never>();

/** What this replica knows of the agents of a broker that is linked to it. */
class Watched {
  readonly told = new ToldAgents();
  /** What differs, and since when it does. */
  suspected: ReadonlyMap<string, number> = NOTHING;
  /** What differed when the list was asked for; undefined where it is not asked for. */
  asked: { about: ReadonlySet<string>; isAnswered: boolean } | undefined;
  /** As they are on record; undefined until they were read on this link. */
  strays: StraysOfLink | undefined;
  inVain = 0;
}

/**
 * Compares what brokers run with what they should run, and makes the two agree again.
 *
 * A broker tells all of its agents on each link, each change after that, and a digest of all with each heartbeat. So this
 * replica knows in memory what its brokers run, and a heartbeat costs no statement. What was told anew is compared with the
 * rows soon after, for all brokers in one statement. A difference is only suspected at first, since reports may be on their
 * way. Where it lasts, the broker is asked for its list, and what differs still when that has come is a drift. What a command
 * explains is looked at again until that has ended, since no frame tells of one that was given up, on whichever replica.
 */
@Injectable()
export class Drifts {
  private readonly log = new Logger('agents');
  private readonly watched = new Map<Link, Watched>();
  private readonly due = new Set<Link>();
  private readonly loop: Loop;
  /** Since the start: lists that were asked for, and runs that were lost, by what came of them. */
  readonly counts = { lists: 0, failed: 0, started_again: 0 };

  constructor(
    private readonly repository: StrayRepository,
    private readonly strays: Strays,
    private readonly agents: Agents,
    private readonly heartbeats: Heartbeats,
    private readonly links: Links,
    private readonly replica: Replica,
    loops: Loops,
  ) {
    this.loop = loops.make({ name: 'agent drift', everyMs: TICK_MS, turn: () => this.turn() });
  }

  start(): void {
    this.links.observe({
      closed: (link) => {
        this.watched.delete(link);
        this.due.delete(link);
      },
    });
    this.heartbeats.observe((link, { agents }) => this.beat(link, agents));
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  /** @throws ProtocolError for a list that is too long */
  took(link: Link, event: FrameOf<'event'>): void {
    if (!this.mayWatch(link)) return;
    const watched = this.watchedOf(link);
    const isComplete = watched.told.took(event);
    if (watched.told.all === undefined) return;
    this.due.add(link);
    if (!isComplete) return;
    if (watched.asked !== undefined) watched.asked.isAnswered = true;
    this.loop.wake();
  }

  /** Strays on record of the brokers that are linked here, by kind. */
  get here(): Record<StrayKind, number> {
    const all = [...this.watched.values()].flatMap(({ strays }) => [...(strays?.values() ?? [])]);
    return countOf(all);
  }

  /** Here nothing is read and nothing waits: it is called for each heartbeat. */
  private beat(link: Link, digest: string | undefined): void {
    if (digest === undefined || !this.mayWatch(link)) return;
    const watched = this.watchedOf(link);
    if (watched.strays !== undefined && watched.strays.size > 0) this.due.add(link);
    if (watched.told.isOf(digest)) {
      watched.inVain = 0;
      if (watched.asked?.isAnswered === false) this.ask(link);
      return;
    }
    watched.inVain += 1;
    if (watched.inVain > ASKED_IN_VAIN && watched.inVain % SELDOM !== 0) return;
    if (watched.inVain === ASKED_IN_VAIN)
      this.log.warn({ brokerId: link.brokerId }, 'a broker tells other agents than its digest says');
    this.ask(link);
  }

  private mayWatch(link: Link): boolean {
    return this.links.get(link.brokerId) === link && link.facts.capabilities.includes(AGENTS_CAPABILITY);
  }

  private watchedOf(link: Link): Watched {
    let watched = this.watched.get(link);
    if (watched === undefined) this.watched.set(link, (watched = new Watched()));
    return watched;
  }

  private ask(link: Link): void {
    if (link.send({ t: 'agents_wanted' })) this.counts.lists += 1;
  }

  private async turn(): Promise<void> {
    if (!this.replica.mayAct) return;
    const due = [...this.due];
    while (due.length > 0) {
      const links = nextOf(due, (link) => this.watched.get(link)?.told.all?.size ?? 0);
      await this.compare(links);
    }
  }

  private async compare(links: readonly Link[]): Promise<void> {
    const compared = links.flatMap((link) => {
      const watched = this.watched.get(link);
      // What is told from here on is compared in the next turn.
      this.due.delete(link);
      return watched === undefined ? [] : [{ link, watched, told: new Map(watched.told.all) }];
    });
    try {
      const brokerIds = compared.map(({ link }) => link.brokerId);
      const agentIds = compared.flatMap(({ told }) => [...told.keys()]);
      const known = groupsOf(await this.repository.known(brokerIds, agentIds));
      const unread = compared.filter(({ watched }) => watched.strays === undefined);
      if (unread.length > 0) {
        const onRecord = await this.strays.ofBrokers(unread.map(({ link }) => link.brokerId));
        for (const { link, watched } of unread) watched.strays = onRecord.get(link.brokerId) ?? NOTHING;
      }
      for (const { link, watched, told } of compared) {
        const named = [...told.keys()].flatMap((id) => known.byId.get(id) ?? []);
        const agents = new Set([...(known.byBroker.get(link.brokerId) ?? []), ...named]);
        await this.judgeAlone(link, watched, driftOf(link.brokerId, told, [...agents]));
      }
    } catch (error) {
      for (const { link } of compared) if (this.watched.has(link)) this.due.add(link);
      throw error;
    }
  }

  /** What is wrong with the agents of one broker keeps nobody else's from being compared. */
  private async judgeAlone(link: Link, watched: Watched, drift: Drift): Promise<void> {
    try {
      await this.judge(link, watched, drift);
    } catch (error) {
      if (error instanceof DatabaseUnavailable) throw error;
      this.log.error({ brokerId: link.brokerId, err: error }, 'a drift could not be acted on');
    }
  }

  private async judge(link: Link, watched: Watched, drift: Drift): Promise<void> {
    // The broker has another link by now, which is judged by what is told there.
    if (this.watched.get(link) !== watched) return;
    const onRecord: StraysOfLink = watched.strays ?? NOTHING;
    const isNew = (stray: RunOf): boolean => onRecord.get(stray.agentId)?.runId !== stray.runId;
    const open = [...drift.lost, ...drift.behind, ...drift.strays.filter(isNew)].map(keyOf);
    const now = performance.now();
    const since = (run: string): number => watched.suspected.get(run) ?? now;
    watched.suspected = open.length === 0 ? NOTHING : new Map(open.map((run) => [run, since(run)]));
    const lasting = open.filter((run) => now - (watched.suspected.get(run) ?? now) >= SETTLE_MS);
    if (lasting.length < open.length || drift.mayBeUndone) this.due.add(link);
    const { asked } = watched;
    const settled = new Set(asked?.isAnswered === true ? lasting.filter((run) => asked.about.has(run)) : []);
    const isSettled = (run: RunOf): boolean => settled.has(keyOf(run));
    const strays = drift.strays.filter((stray) => isSettled(stray) || !isNew(stray));
    watched.strays = await this.strays.take(this.ownerOf(link), onRecord, strays);
    const lost = drift.lost.filter(isSettled);
    for (const run of lost.slice(0, LOST_AT_ONCE)) await this.lose(link, run);
    const behind = drift.behind.filter(isSettled).length;
    if (behind > 0)
      this.log.warn({ brokerId: link.brokerId, agents: behind }, 'reports of agents could not be taken');
    if (lost.length > LOST_AT_ONCE) this.due.add(link);
    else if (asked?.isAnswered !== false)
      this.askAbout(
        link,
        watched,
        lasting.filter((run) => !settled.has(run)),
      );
  }

  private askAbout(link: Link, watched: Watched, runs: readonly string[]): void {
    watched.asked = runs.length === 0 ? undefined : { about: new Set(runs), isAnswered: false };
    if (runs.length > 0) this.ask(link);
  }

  private async lose(link: Link, run: RunOf): Promise<void> {
    const { brokerId } = link;
    const initiator: Initiator = {
      kind: 'hub',
      id: brokerId,
      name: 'agent drift',
      credentialId: null,
      requestId: `drift-${brokerId}`,
    };
    const outcome = await this.agents.lose(this.ownerOf(link), run, initiator);
    if (outcome === 'nothing') return;
    this.counts[outcome] += 1;
    this.log.warn({ brokerId, ...run, outcome }, 'a run is lost: its broker does not know it any more');
  }

  private ownerOf({ brokerId, epoch }: Link): Owner {
    return { brokerId, epoch, replicaId: this.replica.id };
  }
}

function keyOf({ agentId, runId }: RunOf): string {
  return `${agentId} ${runId}`;
}

/** Takes from the front as many as one statement is for. */
function nextOf(links: Link[], sizeOf: (link: Link) => number): Link[] {
  let agents = 0;
  let count = 0;
  for (const link of links) {
    agents += sizeOf(link);
    if (count > 0 && (count === LINKS_AT_ONCE || agents > AGENTS_AT_ONCE)) break;
    count += 1;
  }
  return links.splice(0, count);
}

function groupsOf(agents: readonly KnownAgent[]) {
  const byBroker = new Map<string, KnownAgent[]>();
  for (const agent of agents) {
    const group = byBroker.get(agent.brokerId) ?? [];
    group.push(agent);
    byBroker.set(agent.brokerId, group);
  }
  return { byBroker, byId: new Map(agents.map((agent) => [agent.id, agent])) };
}
