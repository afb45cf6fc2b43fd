import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import type { FrameOf } from '../../protocol/frame.js';
import { ChannelGateway, FromLink } from '../registry/channel.js';
import { Link } from '../registry/link.js';
import { Heartbeats } from './heartbeats.js';

@ChannelGateway()
export class HeartbeatGateway {
  constructor(private readonly heartbeats: Heartbeats) {}

  @SubscribeMessage('heartbeat')
  heartbeat(@FromLink() link: Link, @MessageBody() heartbeat: FrameOf<'heartbeat'>): void {
    this.heartbeats.beat(link, heartbeat);
  }
}
