import { Injectable, Logger } from '@nestjs/common';
import type { FrameOf, ReportedHealth } from '../../protocol/frame.js';
import { Clock } from '../cluster/clock.js';
import { Replica } from '../cluster/replica.js';
import { Group } from '../lifecycle/group.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import type { Link } from '../registry/link.js';
import { Links } from '../registry/links.js';
import type { PresenceState } from '../registry/presence-state.js';
import { PresenceRepository, type Sighting } from './presence.repository.js';
import { presenceAfter } from './presence.js';

const TICK_MS = 5_000;
const QUIET_WRITE_MS = 60_000;
const WRITE_MOST = 5_000;

type Pulse = {
  health: ReportedHealth;
  load: number | null;
  running: number;
  written: { state: PresenceState; at: number } | undefined;
};

/**
 * Takes the beats of the brokers linked here. Changes are written at once; quiet beats of all of them go in one
 * statement a tick, and each broker's at most once a minute, so the database sees a rate that does not grow with
 * the fleet.
 */
@Injectable()
export class Heartbeats {
  private readonly log = new Logger('heartbeat');
  private readonly pulses = new WeakMap<Link, Pulse>();
  private readonly writes = new Group<Sighting, true>(async (sightings) => {
    // Of one broker only the last sighting counts; two would meet in one statement.
    const latest = new Map(sightings.map((sighting) => [sighting.brokerId, sighting]));
    await this.repository.write([...latest.values()]).catch((error: unknown) => {
      this.log.warn({ brokers: latest.size, err: error }, 'presence could not be written; it is tried again');
      throw error;
    });
    return sightings.map(() => true as const);
  }, WRITE_MOST);
  private readonly loops: Loop[];

  constructor(
    private readonly repository: PresenceRepository,
    private readonly links: Links,
    private readonly clock: Clock,
    private readonly replica: Replica,
    loops: Loops,
  ) {
    this.loops = [
      loops.make({ name: 'presence', everyMs: TICK_MS, turn: () => this.tick() }),
      loops.make({ name: 'presence sweep', everyMs: TICK_MS, turn: () => this.sweep() }),
    ];
  }

  start(): void {
    this.links.observe({
      opened: (link) => {
        const pulse: Pulse = { health: link.facts.health, load: null, running: 0, written: undefined };
        this.pulses.set(link, pulse);
        void this.write(link, pulse, link.facts.health);
      },
      closed: (link, reason) => {
        const pulse = this.pulses.get(link);
        if (pulse !== undefined && reason === 'goodbye') void this.write(link, pulse, 'offline');
      },
    });
    for (const loop of this.loops) loop.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.loops.map((loop) => loop.stop()));
    await this.writes.idle();
  }

  beat(link: Link, { health, load, running }: FrameOf<'heartbeat'>): void {
    link.send({ t: 'heartbeat_ack', hubTime: this.clock.now().toISOString() });
    const pulse = this.pulses.get(link);
    if (pulse === undefined) return;
    Object.assign(pulse, { health, load, running });
    if (pulse.written?.state !== health) void this.write(link, pulse, health);
  }

  private async tick(): Promise<void> {
    const now = performance.now();
    const due = this.links.all().flatMap((link) => {
      const pulse = this.pulses.get(link);
      if (pulse === undefined) return [];
      const state = presenceAfter(link.silenceMs, pulse.health);
      const isDue = pulse.written?.state !== state || now - pulse.written.at >= QUIET_WRITE_MS;
      return isDue ? [this.write(link, pulse, state)] : [];
    });
    await Promise.all(due);
  }

  private async sweep(): Promise<void> {
    if (!this.replica.mayAct) return;
    const demoted = await this.repository.demoteUnowned();
    for (const { brokerId, state } of demoted) this.log.warn({ brokerId, state }, 'a broker is silent');
  }

  /** What cannot be written now is written by a later tick, since nothing was noted as written. */
  private async write(link: Link, pulse: Pulse, state: PresenceState): Promise<void> {
    const { brokerId, epoch, silenceMs } = link;
    const { load, running } = pulse;
    try {
      await this.writes.add({ brokerId, epoch, state, load, running, silenceMs });
      pulse.written = { state, at: performance.now() };
    } catch {
      // Logged once for all that share the statement.
    }
  }
}
