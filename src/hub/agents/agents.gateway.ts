import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import type { FrameOf } from '../../protocol/frame.js';
import { ChannelGateway, FromLink } from '../registry/channel.js';
import { Link } from '../registry/link.js';
import { Reports } from './reports.js';

@ChannelGateway()
export class AgentsGateway {
  constructor(private readonly reports: Reports) {}

  @SubscribeMessage('event')
  event(@FromLink() link: Link, @MessageBody() { agents }: FrameOf<'event'>): void {
    this.reports.took(link, agents);
  }
}
