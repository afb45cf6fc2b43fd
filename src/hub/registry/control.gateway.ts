import type { FrameOf } from '../../protocol/frame.js';
import { Capabilities } from './capabilities.js';
import { ChannelGateway } from './channel.js';
import { ControlChannel } from './control-channel.js';
import { Greetings } from './greetings.js';
import { Link } from './link.js';
import { OnFrame, OnHello, OnPromote } from './on-frame.js';
import { Ownership } from './ownership.js';
import { StandbyLinks } from './standby-links.js';

/** The frames with which a connection begins and ends, and what a broker says of itself in between. */
@ChannelGateway()
export class ControlGateway {
  constructor(
    private readonly ownership: Ownership,
    private readonly capabilities: Capabilities,
    private readonly standbys: StandbyLinks,
    private readonly greetings: Greetings,
  ) {}

  @OnHello()
  async hello(channel: ControlChannel, hello: FrameOf<'hello'>): Promise<void> {
    const isStandby = hello.standby === true;
    await this.greetings.during(
      isStandby ? this.standbys.hold(channel, hello) : this.ownership.greet(channel, hello),
    );
  }

  @OnPromote()
  async promote(channel: ControlChannel, promote: FrameOf<'promote'>): Promise<void> {
    await this.standbys.promote(channel, promote);
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
