import type { FrameOf } from '../../protocol/frame.js';
import { ChannelGateway } from '../registry/channel.js';
import { Link } from '../registry/link.js';
import { OnFrame } from '../registry/on-frame.js';
import { Inventories } from './inventories.js';
import { Progress } from './progress.js';
import { Results } from './results.js';

/** The broker's words about commands. None of them waits in the read loop for the database. */
@ChannelGateway()
export class DispatchGateway {
  constructor(
    private readonly inventories: Inventories,
    private readonly results: Results,
    private readonly progress: Progress,
  ) {}

  @OnFrame('inventory')
  async inventory(link: Link, inventory: FrameOf<'inventory'>): Promise<void> {
    await this.inventories.took(link, inventory);
  }

  @OnFrame('ack')
  ack(link: Link, { acks }: FrameOf<'ack'>): void {
    this.results.acked(link, acks);
  }

  @OnFrame('progress')
  noteProgress(link: Link, { progress }: FrameOf<'progress'>): void {
    this.progress.took(link, progress);
  }

  @OnFrame('result')
  async result(link: Link, { results }: FrameOf<'result'>): Promise<void> {
    await this.results.took(link, results);
  }
}
