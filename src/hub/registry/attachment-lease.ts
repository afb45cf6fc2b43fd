import { Injectable, Logger } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import { AttachmentNews } from './attachment-news.js';
import { AttachmentRepository } from './attachment.repository.js';

const TICK_MS = 2_000;

/** Keeps attachments in step with the presence of their brokers, on one replica at a time. */
@Injectable()
export class AttachmentLease {
  private readonly log = new Logger('registry');
  private readonly loop: Loop;

  constructor(
    private readonly repository: AttachmentRepository,
    private readonly news: AttachmentNews,
    private readonly replica: Replica,
    loops: Loops,
  ) {
    this.loop = loops.make({ name: 'attachments', everyMs: TICK_MS, turn: () => this.follow() });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  private async follow(): Promise<void> {
    if (!this.replica.mayAct) return;
    const changed = await this.repository.followPresence();
    if (changed.length === 0) return;
    this.log.debug({ attachments: changed.length }, 'attachments followed the presence of their brokers');
    this.news.tell(...changed);
  }
}
