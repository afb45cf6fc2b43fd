import { Inject, Injectable, Logger } from '@nestjs/common';
import { HUB_CONFIG } from '../../config/config.module.js';
import type { HubConfig } from '../../config/hub-config.js';
import { FULL_AFTER_S, LIMIT_CLASSES, type Limit, type LimitClass } from '../../config/rate-limits.js';
import type { Loop } from '../../lifecycle/loop.js';
import { Loops } from '../../lifecycle/loops.js';
import { RateLimited, RateUndecided } from '../auth.errors.js';
import { LeasePace } from './lease-pace.js';
import { RateBucketRepository } from './rate-bucket.repository.js';

/** Callers that are kept in mind; of whom asks least recently the share is forgotten, which costs a lease. */
const MOST = 10_000;
/** Leases a replica takes within a second, whoever the callers are: a flood from many addresses writes no more rows than that. */
const LEASES_PER_S = 500;
/** What a replica gives of itself, of the burst and of the rate, before it asks the others' common bucket. */
const OWN_SHARE = 0.1;
/** A block lasts for so long at the full rate, and is no more than so much of the burst: what one replica holds, others cannot give. */
const LEASE_S = 1;
const BLOCK = 0.1;
/** How long a bucket that was found empty is not asked again, at the least. */
const EMPTY_FOR_MS = 200;
const SWEEP_EVERY_MS = 60_000;
const SWEEP_BATCH = 1_000;

/** Where nobody can tell whether the limit is spent, these go on: what they read or hold changes nothing. */
const GO_ON: ReadonlySet<LimitClass> = new Set(['read', 'agent', 'poll']);

/** What is to be told how a try ended, which the limiter has let somebody make. */
type Ended = (hasFailed: boolean) => Promise<void>;

type Held = {
  /** Taken from the common bucket, and not used yet. */
  leased: number;
  /** Of this replica's own share. */
  own: number;
  filledAtMs: number;
  spentUntilMs: number;
  /** Until then it may be spent still: it is full again for certain only where nobody was refused for so long. */
  closeUntilMs: number;
  /** Requests that wait for a block. */
  waiting: number;
  leasing: Promise<void> | undefined;
};

/**
 * How much one caller may ask, over all replicas together.
 *
 * A caller's requests are first met from a share that each replica has of its own, a tenth of the limit, and then by blocks that it
 * takes from the one bucket in the database. So whoever asks little costs no statement, and whoever asks much about one a second;
 * the limit is exceeded by no more than a tenth for each replica. Of whom is refused nothing is asked before the time that the
 * answer names.
 */
@Injectable()
export class RateLimiter {
  readonly refused = new Map<LimitClass, number>(LIMIT_CLASSES.map((name) => [name, 0]));
  leases = 0;
  private readonly log = new Logger('auth');
  private readonly held = new Map<string, Held>();
  private readonly pace = new LeasePace(LEASES_PER_S);
  private readonly sweeping: Loop;

  constructor(
    @Inject(HUB_CONFIG) private readonly config: Pick<HubConfig, 'rateLimits'>,
    private readonly repository: RateBucketRepository,
    loops: Loops,
  ) {
    this.sweeping = loops.make({
      name: 'rate bucket sweep',
      everyMs: SWEEP_EVERY_MS,
      faultCapMs: SWEEP_EVERY_MS,
      turn: (signal) => this.sweep(signal),
    });
  }

  start(): void {
    this.sweeping.start();
  }

  async stop(): Promise<void> {
    await this.sweeping.stop();
  }

  /**
   * Counts one request of a caller.
   *
   * @param caller an id, or an address; never a credential
   * @throws RateLimited with the time to come again; RateUndecided where the common bucket cannot be asked, unless nothing is
   *   changed by going on
   */
  async take(name: LimitClass, caller: string): Promise<void> {
    const limit = this.config.rateLimits[name];
    if (limit === null) return;
    const held = this.heldFor(`${name} ${caller}`, limit);
    try {
      while (!this.spend(held, limit)) {
        if (performance.now() < held.spentUntilMs) throw this.refusal(name, limit, held);
        await this.block(`${name} ${caller}`, held, limit);
      }
    } catch (error) {
      if (error instanceof RateUndecided && GO_ON.has(name)) return;
      throw error;
    }
  }

  /**
   * Lets a caller try something of which only failures count. That costs nothing, so that a whole fleet may try from one address; but
   * once the limit was found spent, and until it is full again for certain, each try is counted before it is made, and given back where
   * it went well: else as many as are sent together would all be made as soon as one may fail.
   *
   * @returns what is to be told how it ended, which throws as `take` does where the failure is counted then
   * @throws as `take` does
   */
  async admit(name: LimitClass, caller: string): Promise<Ended> {
    const limit = this.config.rateLimits[name];
    const held = this.held.get(`${name} ${caller}`);
    if (limit === null || held === undefined || performance.now() >= held.closeUntilMs) {
      return async (hasFailed) => {
        if (hasFailed) await this.take(name, caller);
      };
    }
    await this.take(name, caller);
    return (hasFailed) => {
      // Into the replica's own share: what finds no room there is lost, as what it gains by itself.
      if (!hasFailed) held.own += 1;
      return Promise.resolve();
    };
  }

  async sweep(signal?: AbortSignal): Promise<void> {
    while (signal?.aborted !== true) {
      if ((await this.repository.sweep(FULL_AFTER_S, SWEEP_BATCH)) < SWEEP_BATCH) return;
    }
  }

  private spend(held: Held, limit: Limit): boolean {
    if (held.leased >= 1) {
      held.leased -= 1;
      return true;
    }
    const nowMs = performance.now();
    const gained = ((nowMs - held.filledAtMs) / 1_000) * limit.perS * OWN_SHARE;
    held.own = Math.min(ownBurst(limit), held.own + gained);
    held.filledAtMs = nowMs;
    if (held.own < 1) return false;
    held.own -= 1;
    return true;
  }

  /** Requests of one moment share a block, which is as large as they are many. */
  private async block(bucket: string, held: Held, limit: Limit): Promise<void> {
    held.waiting += 1;
    try {
      // Not within the lease itself, which may fail before it is held here.
      held.leasing ??= this.lease(bucket, held, limit).finally(() => (held.leasing = undefined));
      await held.leasing;
    } finally {
      held.waiting -= 1;
    }
  }

  private async lease(bucket: string, held: Held, limit: Limit): Promise<void> {
    try {
      if (!this.pace.take()) throw new RateUndecided();
      this.leases += 1;
      const block = Math.min(limit.perS * LEASE_S, limit.burst * BLOCK);
      const want = Math.min(limit.burst, Math.ceil(Math.max(block, held.waiting)));
      const { lease, tokens } = await this.repository.lease(bucket, want, limit);
      held.leased += lease;
      // Fewer than were wanted: once these are used nothing is asked for a while, so that blocks come in and not crumbs.
      if (lease < want) {
        const whole = lease >= 1 ? 0 : ((1 - tokens) / limit.perS) * 1_000;
        held.spentUntilMs = performance.now() + Math.max(EMPTY_FOR_MS, whole);
        held.closeUntilMs = performance.now() + FULL_AFTER_S * 1_000;
      }
    } catch (error) {
      if (error instanceof RateUndecided) throw error;
      this.log.warn({ err: error }, 'nobody can tell whether a limit is spent');
      throw new RateUndecided(error);
    }
  }

  private refusal(name: LimitClass, limit: Limit, { spentUntilMs }: Held): RateLimited {
    this.refused.set(name, (this.refused.get(name) ?? 0) + 1);
    return new RateLimited(name, limit, Math.max(0, spentUntilMs - performance.now()));
  }

  private heldFor(key: string, limit: Limit): Held {
    const known = this.held.get(key);
    // A map keeps the order of insertion: who asks goes to its end, and who asks least recently is first.
    if (known !== undefined) {
      if (this.held.size > MOST / 2) {
        this.held.delete(key);
        this.held.set(key, known);
      }
      return known;
    }
    const fresh = {
      leased: 0,
      own: ownBurst(limit),
      filledAtMs: performance.now(),
      spentUntilMs: 0,
      closeUntilMs: 0,
      waiting: 0,
      leasing: undefined,
    };
    this.held.set(key, fresh);
    if (this.held.size > MOST) {
      for (const oldest of this.held.keys()) {
        this.held.delete(oldest);
        break;
      }
    }
    return fresh;
  }
}

function ownBurst({ burst }: Limit): number {
  return Math.max(1, burst * OWN_SHARE);
}
