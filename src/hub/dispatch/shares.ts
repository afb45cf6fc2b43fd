import { Inject, Injectable } from '@nestjs/common';
import { Wakes } from '../cluster/wakes.js';
import { HUB_CONFIG } from '../config/config.module.js';
import type { HubConfig } from '../config/hub-config.js';
import { Endings } from './endings.js';

/** Before anything is known of a broker's window, so many commands may be out. */
const FIRST_SHARE = 16;
/** After this long a command counts no more, whether its end was heard of or not. */
const REMEMBERED_MS = 30_000;
/** Past this many that wait nobody counts: nothing is offered for a while. */
const WAITING_MOST = 1_024;
const REST_MS = 5_000;
/** Brokers that are remembered; all are forgotten where there are more. */
const REMEMBERED_MOST = 10_000;

type Share = {
  most: number;
  /** When each was stored, in that order. */
  out: Map<string, number>;
  waiting: Map<string, number>;
  restsUntil: number;
};

/**
 * How many commands this replica may have out at a time with a broker that is linked to another one: half of the broker's
 * window, so that two replicas do not fill more than all of it. While a command of its own waits there it may have no more
 * out, since they would overtake.
 */
@Injectable()
export class Shares {
  private readonly byBroker = new Map<string, Share>();
  private readonly byId = new Map<string, Share>();

  constructor(
    private readonly wakes: Wakes,
    private readonly endings: Endings,
    @Inject(HUB_CONFIG) private readonly config: HubConfig,
  ) {}

  start(): void {
    this.endings.observe((endings) => {
      for (const { id } of endings) this.ended(id);
    });
    this.wakes.subscribe({
      onHint: ({ ended, outcomes }) => {
        for (const id of ended) this.ended(id);
        for (const id of outcomes.keys()) this.ended(id);
      },
      onResumed: () => undefined,
    });
  }

  /** How many more may be stored as claimed for the broker's owner. Where hints do not arrive, none: they would lie there. */
  room(brokerId: string, now: number): number {
    if (!this.isOpen) return 0;
    const share = this.byBroker.get(brokerId);
    if (share === undefined) return FIRST_SHARE;
    this.forgetOld(share.out, now);
    this.forgetOld(share.waiting, now);
    if (share.waiting.size > 0 || share.restsUntil > now) return 0;
    return Math.max(0, share.most - share.out.size);
  }

  /** @param window the broker's, where the statement told it */
  stored(id: string, brokerId: string, isOut: boolean, window: number | null, now: number): void {
    if (!this.isOpen) return;
    if (!this.byBroker.has(brokerId) && this.byBroker.size >= REMEMBERED_MOST) this.forgetAll();
    const share = this.byBroker.get(brokerId) ?? {
      most: FIRST_SHARE,
      out: new Map<string, number>(),
      waiting: new Map<string, number>(),
      restsUntil: -Infinity,
    };
    this.byBroker.set(brokerId, share);
    this.forgetOld(share.out, now);
    this.forgetOld(share.waiting, now);
    if (window !== null) share.most = Math.max(1, Math.floor(window / 2));
    if (!isOut && share.waiting.size >= WAITING_MOST) {
      share.restsUntil = now + REST_MS;
      return;
    }
    (isOut ? share.out : share.waiting).set(id, now);
    this.byId.set(id, share);
  }

  ended(id: string): void {
    const share = this.byId.get(id);
    this.byId.delete(id);
    share?.out.delete(id);
    share?.waiting.delete(id);
  }

  /** Whether commands are claimed ahead at all now, so that it is of use to remember them. */
  private get isOpen(): boolean {
    return this.config.claimAhead && this.wakes.rung === 'notify';
  }

  private forgetAll(): void {
    this.byBroker.clear();
    this.byId.clear();
  }

  private forgetOld(times: Map<string, number>, now: number): void {
    for (const [id, at] of times) {
      if (now - at < REMEMBERED_MS) return;
      times.delete(id);
      this.byId.delete(id);
    }
  }
}
