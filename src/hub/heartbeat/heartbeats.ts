import { Injectable, Logger } from '@nestjs/common';
import type { FrameOf } from '../../protocol/frame.js';
import { Clock } from '../cluster/clock.js';
import { Group } from '../lifecycle/group.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import type { Link } from '../registry/link.js';
import { Links } from '../registry/links.js';
import { Ownership } from '../registry/ownership.js';
import type { PresenceState } from '../registry/presence-state.js';
import { presenceOf } from './presence.js';
import { PresenceRepository, type Change } from './presence.repository.js';
import { Pulse } from './pulse.js';
import { Vigil } from './vigil.js';

const TICK_MS = 5_000;
/** Quiet beats of a broker are written in one turn of so many, which is once a minute. */
const TURNS = 12;
const CHANGES_AT_ONCE = 5_000;

/** Wants to know what a broker says on its link beside how it is. Called from the read loop: it must not wait. */
export type BeatObserver = (link: Link, heartbeat: FrameOf<'heartbeat'>) => void;

/**
 * Takes the beats of the brokers linked here. Changes are written at once. Quiet beats are written in turns: each link
 * has its own, one after another, so that every tick has one statement with a twelfth of all links, and the database
 * sees the same few statements from ten brokers and from a hundred thousand.
 */
@Injectable()
export class Heartbeats {
  private readonly log = new Logger('heartbeat');
  private readonly pulses = new Map<Link, Pulse>();
  /** Of links that are over, and whose last word is still to be written. */
  private readonly parted = new Set<Pulse>();
  private readonly vigil = new Vigil(2 * TICK_MS);
  private readonly observers: BeatObserver[] = [];
  private opened = 0;
  private turn = 0;
  private readonly changes = new Group<Pulse, true>((pulses) => this.writeChanges(pulses), CHANGES_AT_ONCE);
  private readonly loop: Loop;

  constructor(
    private readonly repository: PresenceRepository,
    private readonly links: Links,
    private readonly ownership: Ownership,
    private readonly clock: Clock,
    loops: Loops,
  ) {
    this.loop = loops.make({ name: 'presence', everyMs: TICK_MS, turn: () => this.tick() });
  }

  start(): void {
    this.links.observe({
      opened: (link) => this.open(link),
      closed: (link, reason) => this.close(link, reason),
    });
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
    await this.changes.idle();
    await this.writeQuiet([...this.parted]).catch((error: unknown) => {
      this.log.warn({ err: error }, 'when brokers were last seen could not be written');
    });
  }

  observe(observer: BeatObserver): void {
    this.observers.push(observer);
  }

  /** @param alternatives what the broker is to be told of other replicas, if that has changed */
  beat(link: Link, heartbeat: FrameOf<'heartbeat'>, alternatives?: string[]): void {
    const hubTime = this.clock.now().toISOString();
    link.send({ t: 'heartbeat_ack', hubTime, ...(alternatives === undefined ? {} : { alternatives }) });
    const pulse = this.pulses.get(link);
    // What comes in after the goodbye, or on a link that was displaced, says nothing of the broker any more.
    if (pulse === undefined) return;
    pulse.take(heartbeat);
    if (pulse.written !== pulse.health) this.change(pulse, pulse.health);
    for (const observer of this.observers) observer(link, heartbeat);
  }

  private open(link: Link): void {
    const pulse = new Pulse(link, this.opened++ % TURNS);
    this.pulses.set(link, pulse);
    this.change(pulse, pulse.health);
  }

  private close(link: Link, reason: string): void {
    const pulse = this.pulses.get(link);
    if (pulse === undefined) return;
    this.pulses.delete(link);
    if (reason === 'displaced') return;
    this.parted.add(pulse);
    if (reason === 'goodbye') this.change(pulse, 'offline');
  }

  private async tick(): Promise<void> {
    const watchedMs = this.vigil.look(performance.now());
    this.turn = (this.turn + 1) % TURNS;
    const quiet: Pulse[] = [];
    for (const pulse of this.pulses.values()) {
      const { health, written, slot } = pulse;
      const state = presenceOf({ silenceMs: pulse.link.silenceMs, watchedMs, health, written });
      if (state !== written) this.change(pulse, state);
      else if (slot === this.turn) quiet.push(pulse);
    }
    for (const pulse of this.parted) {
      if (pulse.wanted === 'offline') this.change(pulse, 'offline');
      else quiet.push(pulse);
    }
    await this.writeQuiet(quiet);
    await this.changes.idle();
  }

  /** What cannot be written now is wanted still, and a later tick tries again. */
  private change(pulse: Pulse, state: PresenceState): void {
    pulse.wanted = state;
    if (pulse.isQueued) return;
    pulse.isQueued = true;
    this.changes.add(pulse).catch(() => undefined);
  }

  private async writeChanges(pulses: Pulse[]): Promise<true[]> {
    for (const pulse of pulses) pulse.isQueued = false;
    const told = pulses.map((pulse) => pulse.sighting(pulse.wanted));
    const taken = await this.repository.change(told).catch((error: unknown) => {
      this.log.warn({ brokers: told.length, err: error }, 'presence could not be written; it is tried again');
      throw error;
    });
    const byBroker = new Map(taken.map((change) => [change.brokerId, change]));
    const refused: string[] = [];
    for (const [index, { brokerId, epoch, state }] of told.entries()) {
      const pulse = pulses[index];
      const change = byBroker.get(brokerId);
      const isTaken = change?.epoch === epoch;
      if (pulse === undefined) continue;
      if (isTaken) this.tell(change, pulse);
      pulse.written = isTaken ? state : undefined;
      if (state === 'offline') this.parted.delete(pulse);
      else if (!isTaken) refused.push(brokerId);
    }
    // What its row does not take is the word of a link that is not the broker's any more, and may not know it yet.
    if (refused.length > 0) void this.ownership.recheck(refused);
    return pulses.map(() => true as const);
  }

  private async writeQuiet(pulses: readonly Pulse[]): Promise<void> {
    const told = new Map(pulses.map((pulse) => [pulse, pulse.sighting(pulse.written ?? pulse.health)]));
    const taken = new Set(await this.repository.note([...told.values()]));
    for (const [pulse, { brokerId, state }] of told) {
      this.parted.delete(pulse);
      // The row says something else: it is told anew as a change, which finds out whether it may be.
      if (!taken.has(brokerId) && pulse.written === state) pulse.written = undefined;
    }
  }

  /** What the hub has found out by itself is an event for people; what brokers say of themselves is their own news. */
  private tell(change: Change, { health }: Pulse): void {
    const { was, state } = change;
    if (was === state) return;
    if (state === 'offline') this.log.log(change, 'a broker said goodbye');
    else if (state !== health) this.log.warn(change, 'a broker is silent');
    else this.log.debug(change, 'a broker says how it is');
  }
}
