import { Injectable } from '@nestjs/common';
import { Replica } from '../cluster/replica.js';
import type { Loop } from '../lifecycle/loop.js';
import { Loops } from '../lifecycle/loops.js';
import type { Link } from './link.js';

const EVERY_MS = 5_000;

/**
 * Where else the hub is, for brokers that stay linked while the other replicas come and go: the word of the welcome grows old,
 * and the one who gave it may die without another. What is read here is a list of a few addresses, whatever the number of
 * brokers; each is told with the answer to a heartbeat, where it has changed since that broker was told last.
 */
@Injectable()
export class Whereabouts {
  private urls: readonly string[] = [];
  private turn = 0;
  private readonly told = new WeakMap<Link, readonly string[]>();
  private readonly loop: Loop;

  constructor(replica: Replica, loops: Loops) {
    this.loop = loops.make({
      name: 'whereabouts',
      everyMs: EVERY_MS,
      turn: async () => this.took(await replica.alternatives()),
    });
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    await this.loop.stop();
  }

  /** The same, in another order than the last time, so that those who are told spread. */
  inTurn(): string[] {
    this.turn = (this.turn + 1) % Math.max(1, this.urls.length);
    return [...this.urls.slice(this.turn), ...this.urls.slice(0, this.turn)];
  }

  /** What is to be said on this link; undefined where nothing is new, or where there is nobody else. */
  newsFor(link: Link): string[] | undefined {
    if (this.urls.length === 0 || this.told.get(link) === this.urls) return undefined;
    this.told.set(link, this.urls);
    return [...this.urls];
  }

  /** The list in hand stays the same one for as long as it says the same: it is what each link is asked about. */
  private took(urls: readonly string[]): void {
    if (urls.join(' ') !== this.urls.join(' ')) this.urls = urls;
  }
}
