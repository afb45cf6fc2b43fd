import { Inject, Injectable, Logger } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import { HUB_CONFIG } from '../config/config.module.js';
import type { HubConfig } from '../config/hub-config.js';
import type { Link } from '../registry/link.js';
import { Links } from '../registry/links.js';
import { MoveBudgetRepository } from './move-budget.repository.js';
import { by, pause, soon } from './until.js';

/** A wave is what may move within this time: short, so that what it is told of the others is fresh. */
const WAVE_S = 1;
/** The part of the time that is left by which all are to be asked; the rest of it is theirs to move in. */
const ASKED_BY = 0.75;

/**
 * Asks the brokers that are linked here to move to other replicas, in waves. How many of the whole hub may move within a
 * second is kept in the database, where replicas that drain at once stand behind one another. Each broker has a slot of its
 * own within its wave, and alternatives in an order of its own, so that they spread over the survivors.
 *
 * The deadline goes before the budget: where not all can be asked in time by it, the rest is asked faster. Where the database
 * cannot be asked, the replica goes by the budget for itself.
 */
@Injectable()
export class Handover {
  private readonly log = new Logger('drain');
  private readonly asked = new Set<Link>();

  constructor(
    @Inject(HUB_CONFIG) private readonly config: HubConfig,
    private readonly replica: Replica,
    private readonly links: Links,
    private readonly budget: MoveBudgetRepository,
  ) {}

  /** Resolves when every broker was asked. @param deadlineAt of the drain, on the monotonic clock */
  async askAll(deadlineAt: number): Promise<void> {
    const perS = this.config.drain.movesPerS;
    const askedBy = performance.now() + (deadlineAt - performance.now()) * ASKED_BY;
    let alternatives = await this.alternatives();
    // A hello may have been under way when the door closed.
    this.links.observe({ opened: (link) => this.ask(link, 0, deadlineAt, alternatives) });
    for (let wave = this.next(perS); wave.length > 0; wave = this.next(perS)) {
      const waitMs = await this.turn(wave.length / perS);
      const lengthMs = (wave.length / perS) * 1_000;
      if (performance.now() + waitMs + lengthMs > askedBy) {
        const all = this.next(Infinity);
        this.log.warn({ brokers: all.length, perS }, 'the deadline is too near for the budget of moves');
        const stepMs = Math.max(0, askedBy - performance.now()) / all.length;
        all.forEach((link, place) => this.ask(link, place * stepMs, deadlineAt, alternatives));
        return;
      }
      await pause(waitMs);
      alternatives = await this.alternatives();
      wave.forEach((link, place) => this.ask(link, (place / perS) * 1_000, deadlineAt, alternatives));
      await pause(lengthMs);
    }
  }

  /** Resolves when no broker is linked here any more. */
  async moved(deadlineAt: number): Promise<'brokers_moved' | 'deadline'> {
    let unobserve: () => void = () => undefined;
    const empty = new Promise<'brokers_moved'>((resolve) => {
      const check = () => {
        if (this.links.count === 0) resolve('brokers_moved');
      };
      unobserve = this.links.observe({ closed: check });
      check();
    });
    const how = await by(deadlineAt, empty);
    unobserve();
    return how ?? 'deadline';
  }

  private next(perS: number): Link[] {
    const most = Math.max(1, Math.floor(perS * WAVE_S));
    const unasked = this.links.all().filter((link) => !this.asked.has(link));
    return unasked.slice(0, most);
  }

  private async turn(lengthS: number): Promise<number> {
    const answer = this.budget.takeTurn(lengthS).catch((error: unknown) => {
      this.log.warn({ err: error }, 'the budget of moves could not be read; this replica goes by its own');
      return 0;
    });
    return (await soon(answer)) ?? 0;
  }

  private async alternatives(): Promise<string[]> {
    const answer = this.replica.alternatives().catch(() => []);
    return (await soon(answer)) ?? [];
  }

  private ask(link: Link, slotMs: number, deadlineAt: number, alternatives: readonly string[]): void {
    const from = alternatives.length === 0 ? 0 : this.asked.size % alternatives.length;
    this.asked.add(link);
    link.send({
      t: 'going_away',
      reason: 'the replica is being drained',
      deadlineMs: Math.max(0, Math.round(deadlineAt - performance.now())),
      slotMs: Math.round(slotMs),
      alternatives: [...alternatives.slice(from), ...alternatives.slice(0, from)],
    });
  }
}
