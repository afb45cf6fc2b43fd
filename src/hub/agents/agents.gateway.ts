import type { FrameOf } from '../../protocol/frame.js';
import { ChannelGateway } from '../registry/channel.js';
import { Link } from '../registry/link.js';
import { OnFrame } from '../registry/on-frame.js';
import { Reports } from './reports.js';

@ChannelGateway()
export class AgentsGateway {
  constructor(private readonly reports: Reports) {}

  @OnFrame('event')
  event(link: Link, { agents }: FrameOf<'event'>): void {
    this.reports.took(link, agents);
  }
}
