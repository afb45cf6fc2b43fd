import { Injectable } from '@nestjs/common';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import type { Shown } from './control-channel.js';
import { FrameHandlers } from './frame-handlers.js';
import { PollChannel } from './poll-channel.js';

const EXPIRE_EVERY_MS = 1_000;

/** The channels over polls that this replica holds, and for a while those that have ended, whose brokers ask once more. */
@Injectable()
export class PollChannels {
  /** By broker: one, and for a while those that it had before. */
  private readonly channels = new Map<string, PollChannel[]>();
  private readonly expiring: Loop;

  constructor(
    private readonly handlers: FrameHandlers,
    loops: Loops,
  ) {
    this.expiring = loops.make({
      name: 'polls',
      everyMs: EXPIRE_EVERY_MS,
      turn: () => Promise.resolve(this.expire()),
    });
  }

  start(): void {
    this.expiring.start();
  }

  /** Ends those that are left, so that no poll is waited for. */
  async stop(): Promise<void> {
    await this.expiring.stop();
    for (const channel of [...this.channels.values()].flat())
      channel.close('going_away', 'the replica is stopping');
  }

  open(shown: Shown): PollChannel {
    const channel = new PollChannel(shown, this.handlers);
    this.channels.set(shown.brokerId, [...this.of(shown.brokerId), channel]);
    return channel;
  }

  /** That of this very connection of the broker, if it is here. */
  find(brokerId: string, connectionId: string): PollChannel | undefined {
    return this.of(brokerId).find((channel) => channel.connectionId === connectionId);
  }

  private of(brokerId: string): readonly PollChannel[] {
    return this.channels.get(brokerId) ?? [];
  }

  private expire(): void {
    for (const [brokerId, channels] of this.channels) {
      for (const channel of channels) channel.expire();
      const kept = channels.filter(({ isForgotten }) => !isForgotten);
      if (kept.length === 0) this.channels.delete(brokerId);
      else this.channels.set(brokerId, kept);
    }
  }
}
