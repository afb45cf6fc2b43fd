import { isUuid } from '../../protocol/read.js';
import { idTimeMs } from '../dispatch/id-time.js';
import type { Facts } from './facts.js';

/** Which part of all dispatches is looked at. Evidence of others proves nothing, and is left out. */
export type ScopeOptions = {
  sinceMs?: number | undefined;
  /** No longer among them. */
  untilMs?: number | undefined;
  /** Id or name. */
  broker?: string | undefined;
};

export class Scope {
  /** Of brokers that were found by their name. */
  private readonly named = new Set<string>();

  constructor(private readonly options: ScopeOptions) {}

  get isWhole(): boolean {
    const { sinceMs, untilMs, broker } = this.options;
    return sinceMs === undefined && untilMs === undefined && broker === undefined;
  }

  holds({ id, brokerId, brokerName }: Facts): boolean {
    const { broker } = this.options;
    if (broker !== undefined && broker === brokerName) this.named.add(brokerId);
    return this.holdsTimeOf(id) && this.holdsBroker(brokerId);
  }

  /** Whether a dispatch that was not found should have been, had it been on record; after all that were found. */
  mayHold(id: string, brokerId: string | null): boolean {
    return this.holdsTimeOf(id) && this.holdsBroker(brokerId);
  }

  private holdsBroker(brokerId: string | null): boolean {
    const { broker } = this.options;
    return broker === undefined || broker === brokerId || (brokerId !== null && this.named.has(brokerId));
  }

  private holdsTimeOf(id: string): boolean {
    if (!isUuid(id)) return true;
    const { sinceMs = -Infinity, untilMs = Infinity } = this.options;
    const ms = idTimeMs(id);
    return ms >= sinceMs && ms < untilMs;
  }
}
