import { Inject, Injectable, Logger } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import type { Scope } from '../auth/scope.js';
import { HUB_CONFIG } from '../config/config.module.js';
import type { HubConfig } from '../config/hub-config.js';
import { Dispatches } from '../dispatch/dispatches.js';
import type { Initiator } from '../dispatch/draft.js';
import { Brokers } from '../registry/brokers.js';
import { Agents, GRACE_MS } from './agents.js';
import { STRAY_KINDS, type Stray, type StrayKind } from './drift.js';
import { StrayRepository, type KeptStray, type Owner, type StrayRow } from './stray.repository.js';

/** A command that ends a stray is of use only while the broker is there. */
const STOP_WITHIN_S = 60;
const AGAIN_MS = 60_000;

/** A stray that is on record, and when it was last told to stop from here. */
type Handled = KeptStray & { toldAtMs: number };

/** Which strays are wanted; what is left out may be any. Brokers and agents by id or name. */
type Wanted = { broker?: string | undefined; agent?: string | undefined; kind?: StrayKind | undefined };

/** The strays of one broker under one link, as they are on record. */
export type StraysOfLink = ReadonlyMap<string, Handled>;

/**
 * Runs that nobody wants where they are: keeps them on record for as long as they are there, and ends them where the
 * configuration says so. Each is ended by a dispatch of its own, which is of no project: the rules of projects are for what
 * people ask for.
 */
@Injectable()
export class Strays {
  private readonly log = new Logger('agents');
  private readonly policies: Readonly<Record<StrayKind, 'report' | 'stop'>>;
  /** Found since the start, and told to stop since then. */
  readonly found: Record<StrayKind, number> = { orphan: 0, stranger: 0 };
  readonly stopped: Record<StrayKind, number> = { orphan: 0, stranger: 0 };

  constructor(
    private readonly repository: StrayRepository,
    private readonly dispatches: Dispatches,
    private readonly brokers: Brokers,
    private readonly agents: Agents,
    @Inject(HUB_CONFIG) config: HubConfig,
  ) {
    this.policies = { orphan: config.strays.orphans, stranger: config.strays.strangers };
  }

  /** What earlier links have left on record, of those brokers that have any. */
  async ofBrokers(brokerIds: readonly string[]): Promise<Map<string, StraysOfLink>> {
    const byBroker = new Map<string, Map<string, Handled>>();
    for (const { brokerId, ...stray } of await this.repository.ofBrokers(brokerIds)) {
      const strays = byBroker.get(brokerId) ?? new Map<string, Handled>();
      byBroker.set(brokerId, strays.set(stray.agentId, { ...stray, toldAtMs: -Infinity }));
    }
    return byBroker;
  }

  /**
   * Takes what was found on a broker in place of what is on record.
   *
   * @returns what is on record now
   */
  async take(owner: Owner, onRecord: StraysOfLink, found: readonly Stray[]): Promise<StraysOfLink> {
    if (onRecord.size === 0 && found.length === 0) return onRecord;
    const now = new Map<string, Handled>();
    for (const stray of found) now.set(stray.agentId, await this.handle(owner, onRecord, stray));
    if (areSame(onRecord, now)) return now;
    await this.repository.keep(owner, [...now.values()]);
    return now;
  }

  /** Newest first, those found before the given one. @throws NotFound for the broker, AgentNotFound */
  async list(
    before: string | null,
    { broker, agent, kind }: Wanted,
    limit: number,
    scope: Scope,
  ): Promise<StrayRow[]> {
    const brokerId = broker === undefined ? null : await this.brokers.within(scope, broker);
    const agentId = agent === undefined ? null : await this.agents.within(scope, agent);
    return this.repository.list(before, { brokerId, agentId, kind: kind ?? null }, limit, scope.sees);
  }

  private async handle({ brokerId }: Owner, onRecord: StraysOfLink, stray: Stray): Promise<Handled> {
    const known = onRecord.get(stray.agentId);
    const isKnown = known?.runId === stray.runId;
    const before = isKnown ? known : { id: uuidv7(), dispatchId: null, toldAtMs: -Infinity };
    const handled = { ...stray, id: before.id, dispatchId: before.dispatchId, toldAtMs: before.toldAtMs };
    const { kind } = stray;
    if (!isKnown) {
      this.found[kind] += 1;
      this.log.warn(
        { brokerId, ...stray, policy: this.policies[kind] },
        'a run goes on that nobody wants there',
      );
    }
    if (this.policies[kind] === 'report' || performance.now() - before.toldAtMs < AGAIN_MS) return handled;
    try {
      const dispatchId = await this.end(brokerId, stray);
      this.stopped[kind] += 1;
      return { ...handled, dispatchId, toldAtMs: performance.now() };
    } catch (error) {
      this.log.warn(
        { brokerId, ...stray, err: error },
        'a run that nobody wants there could not be told to stop',
      );
      return handled;
    }
  }

  private async end(brokerId: string, { reason, agentId, runId }: Stray): Promise<string> {
    const args = { agentId, runId, graceMs: GRACE_MS };
    // Of an agent that is deleted nothing is to be left; of all others the folder is somebody's.
    const op = reason === 'agent_deleted' ? 'agent.delete' : 'agent.stop';
    const initiator: Initiator = {
      kind: 'hub',
      id: brokerId,
      name: 'agent drift',
      credentialId: null,
      requestId: `drift-${brokerId}`,
    };
    const order = { brokerId, agentId, op, args, deadlineS: STOP_WITHIN_S, initiator } as const;
    return (await this.dispatches.submit(order, { totalS: 0, windowS: null })).id;
  }
}

/** How many there are of each kind. */
export function countOf(strays: Iterable<Stray>): Record<StrayKind, number> {
  const counts = Object.fromEntries(STRAY_KINDS.map((kind) => [kind, 0])) as Record<StrayKind, number>;
  for (const { kind } of strays) counts[kind] += 1;
  return counts;
}

function areSame(some: StraysOfLink, others: StraysOfLink): boolean {
  if (some.size !== others.size) return false;
  return [...others].every(([agentId, { runId, reason, phase, dispatchId }]) => {
    const one = some.get(agentId);
    return (
      one?.runId === runId && one.reason === reason && one.phase === phase && one.dispatchId === dispatchId
    );
  });
}
