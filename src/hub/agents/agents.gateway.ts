import type { FrameOf } from '../../protocol/frame.js';
import { ChannelGateway } from '../registry/channel.js';
import { Link } from '../registry/link.js';
import { OnFrame } from '../registry/on-frame.js';
import { Drifts } from './drifts.js';
import { Reports } from './reports.js';

@ChannelGateway()
export class AgentsGateway {
  constructor(
    private readonly reports: Reports,
    private readonly drifts: Drifts,
  ) {}

  @OnFrame('event')
  event(link: Link, event: FrameOf<'event'>): void {
    this.drifts.took(link, event);
    this.reports.took(link, event.agents);
  }
}
