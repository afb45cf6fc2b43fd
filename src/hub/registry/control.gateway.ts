import { ConnectedSocket, MessageBody, SubscribeMessage } from '@nestjs/websockets';
import type { FrameOf } from '../../protocol/frame.js';
import { ChannelGateway, FromLink } from './channel.js';
import { ControlSocket } from './control-socket.js';
import { Link } from './link.js';
import { Ownership } from './ownership.js';

/** The frames with which a connection begins and ends. */
@ChannelGateway()
export class ControlGateway {
  constructor(private readonly ownership: Ownership) {}

  @SubscribeMessage('hello')
  async hello(
    @ConnectedSocket() socket: ControlSocket,
    @MessageBody() hello: FrameOf<'hello'>,
  ): Promise<void> {
    await this.ownership.greet(socket, hello);
  }

  @SubscribeMessage('goodbye')
  async goodbye(@FromLink() link: Link, @MessageBody() goodbye: FrameOf<'goodbye'>): Promise<void> {
    await this.ownership.goodbye(link, goodbye.reason);
  }
}
