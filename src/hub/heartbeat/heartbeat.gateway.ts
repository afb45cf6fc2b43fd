import type { FrameOf } from '../../protocol/frame.js';
import { ChannelGateway } from '../registry/channel.js';
import { Link } from '../registry/link.js';
import { OnFrame } from '../registry/on-frame.js';
import { Whereabouts } from '../registry/whereabouts.js';
import { Heartbeats } from './heartbeats.js';

@ChannelGateway()
export class HeartbeatGateway {
  constructor(
    private readonly heartbeats: Heartbeats,
    private readonly whereabouts: Whereabouts,
  ) {}

  @OnFrame('heartbeat')
  heartbeat(link: Link, heartbeat: FrameOf<'heartbeat'>): void {
    this.heartbeats.beat(link, heartbeat, this.whereabouts.newsFor(link));
  }
}
