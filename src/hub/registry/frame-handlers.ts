import { Injectable } from '@nestjs/common';
import type { BrokerFrame } from '../../protocol/frame.js';
import type { ControlChannel } from './control-channel.js';

/** A frame with the channel that it came in on. */
export type Received = { readonly channel: ControlChannel; readonly frame: BrokerFrame };

export type FrameHandler = (received: Received) => void;

/**
 * What takes each frame, for all channels alike. Nest binds handlers to a client; this is the one client that it knows,
 * since a set of bound handlers for each of thousands of idle sockets is most of what such a socket costs.
 */
@Injectable()
export class FrameHandlers {
  private readonly byType = new Map<string, FrameHandler>();

  add(type: string, handler: FrameHandler): void {
    this.byType.set(type, handler);
  }

  get(type: string): FrameHandler | undefined {
    return this.byType.get(type);
  }
}
