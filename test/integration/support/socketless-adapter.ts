import { EventEmitter } from 'node:events';
import type { MessageMappingProperties } from '@nestjs/websockets';
import { AbstractWsAdapter } from '@nestjs/websockets';
import { ControlAdapter } from '../../../src/hub/registry/control-adapter.js';
import { ControlSocket } from '../../../src/hub/registry/control-socket.js';
import { FrameHandlers } from '../../../src/hub/registry/frame-handlers.js';
import type { ReasonedSocket } from '../../../src/hub/registry/reasoned-socket.js';

/** The end of a broker, without a network between. */
class Wire extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  bufferedAmount = 0;
  closedWith: number | undefined;

  send(): void {}

  close(code: number, reason: string): void {
    this.closedWith = code;
    this.readyState = 3;
    this.emit('close', code, Buffer.from(reason));
  }

  terminate(): void {
    this.close(1006, '');
  }
}

export type Dialled = {
  socket: ControlSocket;
  /** Sends a text as one frame. */
  say(text: string): void;
  readonly closedWith: number | undefined;
};

/** Hands frames to gateways as the adapter of the hub does, for sockets that a test makes itself. */
export class SocketlessAdapter extends AbstractWsAdapter {
  private readonly handlers = new FrameHandlers();
  private readonly server = new EventEmitter();

  override create(): EventEmitter {
    return this.server;
  }

  override bindClientConnect(_server: EventEmitter, handler: (client: FrameHandlers) => void): void {
    handler(this.handlers);
  }

  override bindClientDisconnect(): void {}

  override bindMessageHandlers(client: FrameHandlers, handlers: MessageMappingProperties[]): void {
    ControlAdapter.prototype.bindMessageHandlers.call(this, client, handlers);
  }

  override async close(): Promise<void> {}

  dial(brokerId: string): Dialled {
    const wire = new Wire();
    const socket = new ControlSocket(
      wire as unknown as ReasonedSocket,
      { brokerId, expiresAt: new Date(8.64e15) },
      this.handlers,
    );
    return {
      socket,
      say: (text) => void wire.emit('message', Buffer.from(text), false),
      get closedWith() {
        return wire.closedWith;
      },
    };
  }
}
