import type { FrameOf } from '../../protocol/frame.js';
import { ChannelGateway } from './channel.js';
import { ControlSocket } from './control-socket.js';
import { Link } from './link.js';
import { OnFrame, OnHello } from './on-frame.js';
import { Ownership } from './ownership.js';

/** The frames with which a connection begins and ends. */
@ChannelGateway()
export class ControlGateway {
  constructor(private readonly ownership: Ownership) {}

  @OnHello()
  async hello(socket: ControlSocket, hello: FrameOf<'hello'>): Promise<void> {
    await this.ownership.greet(socket, hello);
  }

  @OnFrame('goodbye')
  async goodbye(link: Link, goodbye: FrameOf<'goodbye'>): Promise<void> {
    await this.ownership.goodbye(link, goodbye.reason);
  }
}
