import { MessageBody, SubscribeMessage } from '@nestjs/websockets';
import type { FrameOf } from '../../protocol/frame.js';
import { ChannelGateway, FromLink } from '../registry/channel.js';
import { Link } from '../registry/link.js';
import { Inventories } from './inventories.js';
import { Results } from './results.js';

/** The broker's words about commands. None of them waits in the read loop for the database. */
@ChannelGateway()
export class DispatchGateway {
  constructor(
    private readonly inventories: Inventories,
    private readonly results: Results,
  ) {}

  @SubscribeMessage('inventory')
  async inventory(@FromLink() link: Link, @MessageBody() inventory: FrameOf<'inventory'>): Promise<void> {
    await this.inventories.took(link, inventory);
  }

  @SubscribeMessage('ack')
  async ack(@FromLink() link: Link, @MessageBody() { acks }: FrameOf<'ack'>): Promise<void> {
    await this.results.acked(link, acks);
  }

  @SubscribeMessage('result')
  async result(@FromLink() link: Link, @MessageBody() { results }: FrameOf<'result'>): Promise<void> {
    await this.results.took(link, results);
  }
}
