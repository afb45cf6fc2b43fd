import type { BrokerFrame } from '../../protocol/frame.js';
import type { ControlSocket } from './control-socket.js';

/** A frame with the socket that it came in on. */
export type Received = { readonly socket: ControlSocket; readonly frame: BrokerFrame };

export type FrameHandler = (received: Received) => void;

/**
 * What takes each frame, for all sockets alike. Nest binds handlers to a client; this is the one client that it knows,
 * since a set of bound handlers for each of thousands of idle sockets is most of what such a socket costs.
 */
export class FrameHandlers {
  private readonly byType = new Map<string, FrameHandler>();

  add(type: string, handler: FrameHandler): void {
    this.byType.set(type, handler);
  }

  get(type: string): FrameHandler | undefined {
    return this.byType.get(type);
  }
}
