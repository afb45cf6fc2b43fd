import type { FrameOf } from '../../protocol/frame.js';
import { Capabilities } from './capabilities.js';
import { ChannelGateway } from './channel.js';
import { ControlSocket } from './control-socket.js';
import { Link } from './link.js';
import { OnFrame, OnHello } from './on-frame.js';
import { Ownership } from './ownership.js';

/** The frames with which a connection begins and ends, and what a broker says of itself in between. */
@ChannelGateway()
export class ControlGateway {
  constructor(
    private readonly ownership: Ownership,
    private readonly capabilities: Capabilities,
  ) {}

  @OnHello()
  async hello(socket: ControlSocket, hello: FrameOf<'hello'>): Promise<void> {
    await this.ownership.greet(socket, hello);
  }

  @OnFrame('capabilities')
  async replaceCapabilities(link: Link, told: FrameOf<'capabilities'>): Promise<void> {
    await this.capabilities.replace(link, told);
  }

  @OnFrame('goodbye')
  async goodbye(link: Link, goodbye: FrameOf<'goodbye'>): Promise<void> {
    await this.ownership.goodbye(link, goodbye.reason);
  }
}
