import { Inject, Injectable, Logger } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import { HUB_CONFIG } from '../config/config.module.js';
import type { HubConfig } from '../config/hub-config.js';
import { DispatchLife } from '../dispatch/life.js';
import { Admission } from '../registry/admission.js';
import type { Link } from '../registry/link.js';
import { Links } from '../registry/links.js';
import { Ownership } from '../registry/ownership.js';

/** Time over which the brokers of one replica are asked to move, so that their new owners are not flooded. */
const MOVE_OVER_MS = 5_000;

export type DrainStep =
  'announced' | 'lingered' | 'asked_brokers' | 'brokers_moved' | 'deadline' | 'released';

/**
 * Takes this replica out of service without losing work. The order is the point: it is first told to everybody that
 * nothing new belongs here, brokers are then asked to go elsewhere and served until they have, and only what is left
 * at the deadline is let go of.
 */
@Injectable()
export class Draining {
  private readonly log = new Logger('drain');
  private draining: Promise<void> | undefined;
  private readonly listeners = new Set<(step: DrainStep, brokersHere: number) => void>();

  constructor(
    @Inject(HUB_CONFIG) private readonly config: HubConfig,
    private readonly replica: Replica,
    private readonly admission: Admission,
    private readonly links: Links,
    private readonly ownership: Ownership,
    private readonly dispatch: DispatchLife,
  ) {}

  get hasBegun(): boolean {
    return this.draining !== undefined;
  }

  onStep(listener: (step: DrainStep, brokersHere: number) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * Resolves when no broker is held here any more. Asking again joins the drain that is under way.
   *
   * @param deadlineMs from now; the configured one where left out
   */
  drain(deadlineMs: number = this.config.drain.deadlineMs): Promise<void> {
    this.draining ??= this.run(deadlineMs);
    return this.draining;
  }

  private async run(deadlineMs: number): Promise<void> {
    const deadlineAt = performance.now() + deadlineMs;
    // The row is the truth that other replicas read; without the database it must not hold up the drain.
    await by(
      deadlineAt,
      this.replica.beginDrain().catch((error: unknown) => {
        this.log.warn({ err: error }, 'the drain could not be announced');
      }),
    );
    await by(deadlineAt, this.admission.close());
    this.reached('announced');

    // Where nobody could take over, waiting helps nobody.
    const hasPeers = await by(deadlineAt, this.replica.hasPeers().catch(() => true));
    if (hasPeers !== false) await this.handOver(deadlineAt);

    this.dispatch.releaseWaits();
    await this.ownership.releaseAll('the replica has drained');
    this.reached('released');
  }

  private async handOver(deadlineAt: number): Promise<void> {
    // Balancers need time to forget this replica.
    await pause(Math.min(this.config.drain.lingerMs, deadlineAt - performance.now()));
    this.reached('lingered');
    await this.askBrokersToMove(deadlineAt - performance.now());
    this.reached('asked_brokers');
    await this.untilEmpty(deadlineAt);
  }

  private async askBrokersToMove(remainingMs: number): Promise<void> {
    const alternatives =
      (await by(
        performance.now() + remainingMs,
        this.replica.alternatives().catch(() => []),
      )) ?? [];
    const links = this.links.all();
    const spreadMs = Math.min(MOVE_OVER_MS, remainingMs / 2);
    const ask = (link: Link, slotMs: number) =>
      link.send({
        t: 'going_away',
        reason: 'the replica is being drained',
        deadlineMs: Math.max(0, Math.round(remainingMs)),
        slotMs: Math.round(slotMs),
        alternatives,
      });
    // A hello may have been under way when the door closed.
    this.links.observe({ opened: (link) => ask(link, 0) });
    links.forEach((link, index) => ask(link, (index / links.length) * spreadMs));
  }

  private async untilEmpty(deadlineAt: number): Promise<void> {
    let unobserve: () => void = () => undefined;
    const empty = new Promise<'brokers_moved'>((resolve) => {
      const check = () => {
        if (this.links.count === 0) resolve('brokers_moved');
      };
      unobserve = this.links.observe({ closed: check });
      check();
    });
    const timer = new AbortController();
    const late = pause(deadlineAt - performance.now(), timer.signal).then(() => 'deadline' as const);
    this.reached(await Promise.race([empty, late]));
    timer.abort();
    unobserve();
  }

  private reached(step: DrainStep): void {
    this.log.log({ step, brokers: this.links.count }, 'drain');
    for (const listener of this.listeners) listener(step, this.links.count);
  }
}

/** What `work` gives, or nothing where that takes longer: whatever hangs, a drain ends in time. */
async function by<T>(deadlineAt: number, work: Promise<T>): Promise<T | undefined> {
  const timer = new AbortController();
  const late = pause(deadlineAt - performance.now(), timer.signal).then(() => undefined);
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
  }
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.max(0, ms));
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
